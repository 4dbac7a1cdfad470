/**
 * Asks the kernel for each optional feature through the datapath itself, so that what is reported is what an operator
 * would read: forced onto TCX alone, beside another owner of a cgroup hook, with the socket path on.
 */
import { closeSync, openSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatapathOptions } from '../../../src/datapath/open-datapath.ts';
import { openDatapath } from '../../../src/datapath/open-datapath.ts';
import type { SocketPathStatus } from '../../../src/datapath/socket/socket-status.ts';
import { toIp } from '../../../src/datapath/testing/conformance.ts';
import { silentLog, TestNetwork } from '../../../src/datapath/testing/test-network.ts';
import { openLibc } from '../../../src/sys/libc.ts';
import { namespaceCookie } from '../../../src/sys/netns/namespaces.ts';
import { programStats } from '../../../src/sys/program-stats.ts';
import { linkToCgroup } from '../../../src/sys/socket-programs/cgroup-link.ts';
import { systemClock } from '../../../src/telemetry/clock.ts';
import { hasFeature, OPTIONAL, type ProbeName } from '../features.ts';
import { withProgram } from './load-objects.ts';
import type { GuestLine } from './report.ts';

interface Answer {
  readonly has: boolean;
  /** The datapath's words where it is missing. */
  readonly message?: string;
}

const STATUS_TRIES = 100;
const STATUS_PAUSE_MS = 200;
const CGROUP = '/sys/fs/cgroup';
const POD = '172.20.0.10';

export async function askFeatures(tell: (line: GuestLine) => void): Promise<void> {
  const network = new TestNetwork('features');
  try {
    network.addPod('a', POD);
    const directory = network.mountBpffs();
    network.enterNode();
    for (const feature of OPTIONAL) {
      const { name, probe } = feature;
      if (probe === undefined) continue;
      const answer = await PROBES[probe](join(directory, probe)).catch(failed);
      tell({ kind: 'feature', name, expected: hasFeature(release(), feature), ...answer });
    }
  } finally {
    await network.close();
  }
}

const PROBES: Readonly<Record<ProbeName, (pins: string) => Promise<Answer>>> = {
  drops: async (pins) => {
    const datapath = open(pins, {});
    try {
      datapath.onPackets({ packet: () => undefined, lost: () => undefined });
      const { watched, problem } = datapath.drops();
      return { has: watched, ...(problem === undefined ? {} : { message: problem }) };
    } finally {
      datapath.remove();
    }
  },
  tcx: async (pins) => {
    const datapath = open(pins, { hookKind: 'tcx' });
    try {
      const pods = [{ pod: 'default/a', addresses: [toIp(POD)] }];
      await datapath.apply({ frontends: [], pods, mayPrune: true });
      const status = datapath.interfaces()[0]?.status;
      return {
        has: status?.state === 'done',
        ...(status?.error === undefined ? {} : { message: status.error }),
      };
    } finally {
      datapath.remove();
    }
  },
  'netns-cookie': async (pins) => {
    const has = namespaceCookie() !== undefined;
    // Whatever the kernel lacks: below the cgroup the path must find its own namespace.
    await socketStatus(pins, ({ callers }) => callers === 1);
    return { has, ...(has ? {} : { message: 'the programs told the cookie instead' }) };
  },
  'ordered-cgroup-links': async (pins) =>
    withProgram('SOCKET_OBJECT', 'connect4', async (program) => {
      const cgroupFd = openSync(CGROUP, 'r');
      const link = linkToCgroup(program, { cgroupFd, hook: 'connect4' }, 'last');
      try {
        if (link < 0) throw new Error(`Cannot link another program: ${link}`);
        // Who else is there is looked at now and then.
        const { others, problems } = await socketStatus(pins, (status) => status.others.length > 0);
        const message = problems.find((problem) => problem.includes('6.17'));
        return { has: !others.some(({ ahead }) => ahead), ...(message === undefined ? {} : { message }) };
      } finally {
        if (link >= 0) openLibc().close(link);
        closeSync(cgroupFd);
      }
    }),
  'verified-instructions': async () =>
    withProgram('POD_OBJECT', 'from_endpoint', (program) => ({
      has: programStats(program).verifiedInstructions > 0,
    })),
};

function open(pinDirectory: string, options: Partial<DatapathOptions>) {
  return openDatapath({ pinDirectory, log: silentLog, clock: systemClock, ...options });
}

/** Once it is as wanted; throws when it never is. */
async function socketStatus(pins: string, isReady: (status: SocketPathStatus) => boolean) {
  const datapath = open(pins, { socketRedirect: { scope: 'host', cgroupRoot: CGROUP } });
  try {
    for (let left = STATUS_TRIES; left > 0; left--) {
      const status = datapath.socketPath();
      if (isReady(status)) return status;
      await sleep(STATUS_PAUSE_MS);
    }
    throw new Error(`The socket path says: ${JSON.stringify(datapath.socketPath().problems)}`);
  } finally {
    datapath.remove();
  }
}

function failed(error: unknown): Answer {
  return { has: false, message: `FAILED: ${error instanceof Error ? error.message : String(error)}` };
}
