// Starts a TypeScript file of ours with the pinned Node: `node tools/run.mjs FILE [ARGS]`.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const node = join(root, 'node_modules', 'node', 'bin', 'node');
const { status, error } = spawnSync(node, process.argv.slice(2), { stdio: 'inherit', cwd: root });
if (error) console.error(`Cannot start ${node}: ${error.message}. Run: npm ci`);
process.exit(status ?? 1);
