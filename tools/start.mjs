// `npm start`: installs what is missing, then tells the story in the lab. Flags go on to `zerohop lab story`.
import { spawn } from 'node:child_process';
import { release } from 'node:os';
import { join } from 'node:path';
import { missingFloor } from '../src/lab/machine-floor.mjs';
import { installPackages, installTools, ROOT, STORY_TOOLS } from './setup.mjs';

const missing = missingFloor({
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
  kernel: release(),
});
if (missing !== undefined) {
  console.error(`Cannot run the lab: ${missing}`);
  process.exit(1);
}
installPackages();
installTools(STORY_TOOLS);

const node = join(ROOT, 'node_modules', 'node', 'bin', 'node');
const main = join(ROOT, 'src', 'cli', 'boot', 'zerohop.mjs');
const story = spawn(node, [main, 'lab', 'story', ...process.argv.slice(2)], { stdio: 'inherit', cwd: ROOT });
// The terminal sends Ctrl-C to both; the story needs it, and this process has to outlive it to pass on its exit code.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
process.on('SIGTERM', () => story.kill('SIGTERM'));
story.on('exit', (code) => process.exit(code ?? 1));
