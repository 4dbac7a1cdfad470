/**
 * One process in a pod's namespaces: network, mounts and host name are the pod's, everything else is the machine's. The
 * pod sees the machine's files with its own /etc laid over them and its own /run, so that a container needs no image.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { makeCgroup } from '../cgroup.ts';
import { LAB_PATHS, namespacePath, podDirectory } from '../topology.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/boot/zerohop.mjs', import.meta.url));

/** In the pod, where a cache looks for the agent of its node. */
const HEARTBEAT_DIRECTORY = 'zerohop/cache';

/**
 * Runs inside the new namespaces. $1 the pod's directory, $2 its cgroup, $3 its host name, $4 a directory of the node's to
 * be seen in the pod (or nothing), the rest the program. The cgroup comes first: whatever goes wrong after it, the process
 * can be found and ended. Descriptor 3 is closed by whoever is in the pod.
 */
const ENTER_POD = `set -e
echo $$ > "$2/cgroup.procs"
hostname "$3"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" /etc
[ -z "$4" ] || mount --bind "$4" "$1/run/${HEARTBEAT_DIRECTORY}"
mount --rbind "$1/run" /run
shift 4
exec "$@" 3>&-`;

export interface ContainerSpec {
  readonly pod: string;
  readonly node: string;
  /** Network namespace to run in: the pod's own, or the node's. */
  readonly namespace: string;
  /** Absolute path in the pod, below /etc or /run, to content. */
  readonly files: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string>>;
  /** A directory of the node's that the pod sees where a cache looks for its agent, as a hostPath volume; made here. */
  readonly heartbeats?: string;
  /** `zerohop` arguments when `image` is zerohop, else a command of the machine. */
  readonly command: readonly string[];
}

export interface Container {
  readonly pid: number;
  /** How it ended: exit code, or the signal's name. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

export interface PodContainer extends Container {
  /** Resolves when it has all of the pod around it, or has ended before: until then its pid leads to the machine itself. */
  readonly entered: Promise<void>;
}

/** The words that start this program with the Node that runs it now. */
export function zerohopCommand(args: readonly string[]): string[] {
  return [process.execPath, PROGRAM, ...args];
}

export function logPath(pod: string): string {
  return join(LAB_PATHS.logs, `${pod}.log`);
}

/** Starts the process detached from the terminal, its output appended to the pod's log. */
export function startContainer(spec: ContainerSpec): PodContainer {
  const directory = podDirectory(spec.pod);
  for (const part of ['etc', 'work', 'run']) mkdirSync(join(directory, part), { recursive: true });
  for (const [path, content] of spec.files) writePodFile(directory, path, content);
  if (spec.heartbeats !== undefined) {
    mkdirSync(spec.heartbeats, { recursive: true, mode: 0o700 });
    mkdirSync(join(directory, 'run', HEARTBEAT_DIRECTORY), { recursive: true });
  }
  const cgroup = makeCgroup(spec.node, spec.pod);
  const log = openSync(logPath(spec.pod), 'a');
  const child = spawn(
    'nsenter',
    [
      `--net=${namespacePath(spec.namespace)}`,
      ...['unshare', '--mount', '--uts', '--propagation', 'private'],
      ...['sh', '-c', ENTER_POD, 'sh', directory, cgroup, spec.pod, spec.heartbeats ?? '', ...spec.command],
    ],
    {
      ...{ stdio: ['ignore', log, log, 'pipe'], detached: true },
      env: { ...spec.environment, PATH: process.env.PATH },
    },
  );
  closeSync(log);
  const door = child.stdio[3] as Readable;
  const entered = new Promise<void>((resolve) => void door.once('end', resolve).resume());
  const ended = ending(child);
  return { pid: child.pid ?? 0, ended, entered: Promise.race([entered, ended.then(() => undefined)]) };
}

/** A process that cannot be started has ended with 127, as a shell would say. */
export function ending(child: ChildProcess): Container['ended'] {
  return new Promise((resolve) => {
    child.on('error', () => resolve({ code: 127, signal: null }));
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** /etc is an overlay whose upper layer we fill; /run is a directory of the pod's, and /var/run points into it. */
function writePodFile(directory: string, path: string, content: string): void {
  const target = join(directory, path.replace(/^\/var\/run\//, '/run/'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}
