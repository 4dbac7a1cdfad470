/** Whose programs see the packets of pods, and what their sockets are connected to before there is a packet. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readChain } from '../../../datapath/hooks/hooked-direction.ts';
import { mountedCgroups, withCgroupRoot } from '../../../datapath/socket/cgroup-root.ts';
import { listLinks } from '../../../sys/netlink/links.ts';
import { cgroupPrograms, programName } from '../../../sys/socket-programs/cgroup-link.ts';
import type { HookFact } from '../node-facts.ts';

const DIRECTIONS = { in: 'ingress', out: 'egress' } as const;
const CGROUP_HOOKS = ['connect4', 'connect6', 'sendmsg4', 'sendmsg6'] as const;
const MAX_INTERFACES = 512;

export interface HookReadingOptions {
  /** What the agent was given for its maps and programs: by its pinned links ours are told from others'. */
  readonly directory: string;
  /** As the operator of a container says it; default: the one that is mounted. */
  readonly cgroupRoot?: string;
}

/** Of veths that lead to pods, and of the root cgroup. Places where nobody hangs are left out. Throws SYS_CALL_FAILED. */
export function readHooks({ directory: root, cgroupRoot }: HookReadingOptions): readonly HookFact[] {
  const directory = linkDirectory(root);
  const veths = listLinks().filter(({ kind, peerNetnsId }) => kind === 'veth' && peerNetnsId !== undefined);
  const ofInterfaces = veths.slice(0, MAX_INTERFACES).flatMap(({ ifindex, name }) =>
    (['in', 'out'] as const).map((direction) => ({
      place: `${name} ${DIRECTIONS[direction]}`,
      owners: ownersAt({ ifindex, direction, directory }),
    })),
  );
  return [...ofInterfaces, ...cgroupHooks(cgroupRoot)].filter(({ owners }) => owners.length > 0);
}

/** Below a directory of the agent's version, of which there is one (datapath/kernel/pins.ts). */
function linkDirectory(root: string): string {
  try {
    const version = readdirSync(root).find((name) => name.startsWith('abi-'));
    return version === undefined ? root : join(root, version, 'links');
  } catch {
    // No agent was ever here.
    return root;
  }
}

function ownersAt(spec: Parameters<typeof readChain>[0]): HookFact['owners'] {
  const chain = readChain(spec);
  const own = chain.findIndex(({ ours }) => ours);
  return chain.map(({ kind, programId, name, ours, filter }, i) => ({
    kind,
    name: ours ? 'zerohop' : name,
    id: programId,
    direction: spec.direction,
    ahead: own < 0 || i < own,
    ...(filter === undefined ? {} : { priority: filter.priority }),
  }));
}

function cgroupHooks(path: string | undefined): readonly HookFact[] {
  // Where none is mounted a view would have to be, and looking must change nothing.
  if (path === undefined && mountedCgroups(readFileSync('/proc/self/mounts', 'utf8')).length === 0) return [];
  return withCgroupRoot(path, ({ fd }) =>
    CGROUP_HOOKS.map((hook) => ({
      place: `cgroup ${hook}`,
      owners: cgroupPrograms({ cgroupFd: fd, hook }).map((id) => ({
        kind: 'cgroup' as const,
        name: programName(id),
        id,
      })),
    })),
  );
}
