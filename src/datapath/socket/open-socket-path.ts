/** The socket path as the datapath holds it: open, switched off, or not to be had on this machine. */
import { join } from 'node:path';
import { errorText } from '../../fault/app-error.ts';
import type { OtherBackends } from './other-backends.ts';
import { retireSocketPath } from './retire.ts';
import { SocketPath, type SocketPathOptions } from './socket-path.ts';
import { SOCKET_PATH_OFF, type SocketPathStatus, type SocketScope } from './socket-status.ts';

export interface SocketRedirect {
  readonly scope: SocketScope | 'off';
  /** A directory of cgroup v2; absent: the root is looked for. */
  readonly cgroupRoot?: string;
  /** Connected UDP sockets that bypass a redirect when it becomes active are ended. Absent: they stay. */
  readonly moveFrom?: OtherBackends;
}

export interface SocketPathHandle {
  status(): SocketPathStatus;
  /** Ends connected UDP sockets whose backend is gone, now; resolves when all have been looked at. */
  sweep(): Promise<void>;
  /** Links and maps stay pinned. */
  close(): void;
  /** Takes the programs off the cgroup. */
  remove(): void;
}

export interface OpenSocketPathOptions
  extends Omit<SocketPathOptions, 'scope' | 'cgroupRoot' | 'moveFrom' | 'pins'> {
  readonly redirect: SocketRedirect;
  /** Directories on a bpffs; links of the socket path get one beside that of the others. */
  readonly pins: { readonly maps: string; readonly links: string };
}

/** Never throws: without this path the packet path works alone, and the status says what is missing. */
export function openSocketPath({ redirect, pins, ...rest }: OpenSocketPathOptions): SocketPathHandle {
  const own = { maps: pins.maps, links: join(pins.links, '..', 'sockets') };
  const { scope, ...wishes } = redirect;
  try {
    if (scope === 'off') {
      retireSocketPath(own);
      return idle(SOCKET_PATH_OFF);
    }
    return new SocketPath({
      ...rest,
      ...wishes,
      scope,
      pins: own,
    });
  } catch (error) {
    const problem = errorText(error);
    rest.log.warning(`socket path, ${scope}: ${problem}`);
    return idle({ ...SOCKET_PATH_OFF, scope, problems: [problem] });
  }
}

function idle(status: SocketPathStatus): SocketPathHandle {
  return {
    status: () => status,
    sweep: async () => undefined,
    close: () => undefined,
    remove: () => undefined,
  };
}
