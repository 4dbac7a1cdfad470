/** Signals end processes, so each case is one of its own. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** Catches signals, sends itself those it is told, and only then has somebody who listens. */
const PROGRAM = `
  import { catchSignals } from './signals.ts';
  const signals = catchSignals();
  const hold = setInterval(() => undefined, 60_000);
  for (const name of process.argv.slice(1)) {
    const arrived = new Promise((resolve) => process.once(name, resolve));
    process.kill(process.pid, name);
    await arrived;
  }
  clearInterval(hold);
  signals.listen({ log: { info: console.log }, flush() {}, onReload: () => console.log('reload') });
  signals.told.then((ending) => console.log('told ' + ending));
`;

describe('signals that come before there is a server', () => {
  it.each<{ name: string; signals: NodeJS.Signals[]; said: string; code: number }>([
    { name: 'SIGUSR1 opens no debugger and reloads later', signals: ['SIGUSR1'], said: 'reload\n', code: 0 },
    { name: "SIGHUP is nobody's", signals: ['SIGHUP'], said: '', code: 0 },
    {
      name: 'SIGTERM ends it later, without a reload',
      signals: ['SIGUSR1', 'SIGTERM', 'SIGUSR1'],
      said: 'SIGTERM: Shutting down servers then terminating\ntold terminate\n',
      code: 0,
    },
    {
      name: 'SIGINT as well',
      signals: ['SIGINT'],
      said: 'SIGINT: Shutting down\ntold interrupt\n',
      code: 0,
    },
    { name: 'a second SIGINT ends it on the spot', signals: ['SIGINT', 'SIGINT'], said: '', code: 2 },
  ])('$name', ({ signals, said, code }) => {
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM, '--', ...signals], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    expect({ said: child.stdout + child.stderr, code: child.status }).toEqual({ said, code });
  });
});
