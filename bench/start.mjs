// `npm run bench`: installs the npm packages when they are absent, then runs the benchmark with the pinned Node. Runs under
// Node 20, with nothing installed.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installPackages, ROOT } from '../tools/setup.mjs';

installPackages();
const node = join(ROOT, 'node_modules', 'node', 'bin', 'node');
const main = join(ROOT, 'bench', 'main.ts');
// An interrupt reaches both; the benchmark ends what it started, and this waits for it.
process.on('SIGINT', () => undefined);
const { status } = spawnSync(node, [main, ...process.argv.slice(2)], { stdio: 'inherit', cwd: ROOT });
process.exit(status ?? 1);
