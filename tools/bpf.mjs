// `npm run bpf`: installs the compiler when it is missing, then makes the committed bytecode from bpf/ anew.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BPF_TOOLS, installPackages, installTools, ROOT } from './setup.mjs';

installPackages();
installTools(BPF_TOOLS);
const node = join(ROOT, 'node_modules', 'node', 'bin', 'node');
const { status } = spawnSync(node, ['tools/bpf/build.ts'], { stdio: 'inherit', cwd: ROOT });
process.exit(status ?? 1);
