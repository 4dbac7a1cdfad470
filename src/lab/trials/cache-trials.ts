/** What happens to the cache of a node: it dies, runs out of memory, hangs, is replaced. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { AppError } from '../../fault/app-error.ts';
import { killPod, podPid } from '../exec.ts';
import type { Stage } from './stage.ts';
import type { Happening, Trial } from './trial.ts';

/** A killed process has its last answers unsent, and keeps its sockets until the kernel has taken its memory apart. */
export const IN_HANDS = { before: 25, after: 50 } as const;
/** A process that the kernel looks for memory for stands still before it is killed. */
const OUT_OF_MEMORY = { before: 100, after: 50 } as const;
const HANG_MS = 2_000;
/** A hung process is known by its heartbeat; what it had read before and what it got until then is lost. */
const HUNG = { before: 25, after: 500 } as const;

export const cacheKilled: Trial = {
  name: 'cache-killed',
  what: 'kill -9 of the cache',
  mayLose: IN_HANDS,
  async run(stage) {
    const pod = await stage.cachePod();
    const killed = stage.happened('killed');
    killPod(pod.name);
    await stage.untilRestarted(pod);
    return { happenings: [killed] };
  },
};

export const cacheOutOfMemory: Trial = {
  name: 'cache-out-of-memory',
  what: 'the kernel kills the cache for want of memory',
  mayLose: OUT_OF_MEMORY,
  async run(stage) {
    const pod = await stage.cachePod();
    const pid = podPid(pod.name);
    const group = makeMemoryGroup();
    try {
      writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
      writeFileSync(`${group}/cgroup.procs`, String(pid));
      const ballast = startBallast(group);
      const killed = await untilKilled(group, stage);
      await ballast;
      await stage.untilRestarted(pod);
      return { happenings: [killed] };
    } finally {
      rmdirSync(group);
    }
  },
};

export const cacheHung: Trial = {
  name: 'cache-hung',
  what: 'SIGSTOP of the cache for two seconds',
  mayLose: HUNG,
  async run(stage) {
    const pid = podPid((await stage.cachePod()).name);
    const hung = stage.happened('stopped');
    process.kill(pid, 'SIGSTOP');
    try {
      await stage.pause(HANG_MS);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    return { happenings: [hung] };
  },
};

export const rollingUpdate: Trial = {
  name: 'rolling-update',
  what: 'a new pod of the cache, then the old one deleted, again and again',
  async run(stage) {
    const happenings: Happening[] = [];
    const rounds = Date.now() + (stage.enough / stage.perSecond) * 1000;
    do {
      const { name: old } = await stage.cachePod();
      await stage.addCache();
      happenings.push(stage.happened(`${old} deleted`));
      await stage.removePod('kube-system', old);
    } while (Date.now() < rounds);
    return { happenings };
  },
};

const MEMORY_CONTROLLER = '/sys/fs/cgroup/memory';
const LIMIT_BYTES = 16 << 20;

/** Of cgroup v1, because v2 has no memory controller while v1 holds it; on a machine with v2 alone this trial refuses. */
function makeMemoryGroup(): string {
  if (!existsSync(`${MEMORY_CONTROLLER}/memory.limit_in_bytes`)) {
    throw new AppError(
      'LAB_UNSUPPORTED',
      `Cannot take memory from the cache: no memory controller at ${MEMORY_CONTROLLER}`,
    );
  }
  const group = `${MEMORY_CONTROLLER}/zerohop-lab-oom`;
  mkdirSync(group, { recursive: true });
  writeFileSync(`${group}/memory.limit_in_bytes`, String(LIMIT_BYTES));
  return group;
}

/** Another process of the group that wants all there is: it keeps the one endless line that zeros are, and dies second. */
function startBallast(group: string): Promise<void> {
  const child = spawn('sh', ['-c', 'echo 0 > "$1/cgroup.procs"; exec tail /dev/zero', 'sh', group], {
    stdio: 'ignore',
  });
  return new Promise((resolve) => child.on('close', () => resolve()));
}

/** Read every millisecond: what a process loses by its death is told by the moment of it. */
async function untilKilled(group: string, stage: Stage): Promise<Happening> {
  while (!/^oom_kill [1-9]/m.test(readFileSync(`${group}/memory.oom_control`, 'utf8'))) await stage.pause(1);
  return stage.happened('killed by the kernel');
}
