/** A process of the lab that is no pod: agent, control plane, resolver. It runs in a node's network namespace. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { makeCgroup } from '../cgroup.ts';
import { namespacePath } from '../topology.ts';
import { type Container, ending, logPath, zerohopCommand } from './container.ts';

export interface DaemonSpec {
  /** Also the name of its log. */
  readonly name: string;
  /** Network namespace to run in. */
  readonly namespace: string;
  /** Arguments of `zerohop`. */
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Ends when the cgroup is gone already: outside of it nobody would find the process. */
const JOIN_CGROUP = 'set -e; echo $$ > "$1/cgroup.procs"; shift; exec "$@"';

export function startDaemon(spec: DaemonSpec): Container {
  const cgroup = makeCgroup('system', spec.name);
  const log = openSync(logPath(spec.name), 'a');
  const child = spawn(
    'nsenter',
    [
      `--net=${namespacePath(spec.namespace)}`,
      ...['sh', '-c', JOIN_CGROUP, 'sh', cgroup, ...zerohopCommand(spec.args)],
    ],
    { stdio: ['ignore', log, log], detached: true, env: { ...process.env, ...spec.environment } },
  );
  closeSync(log);
  return { pid: child.pid ?? 0, ended: ending(child) };
}
