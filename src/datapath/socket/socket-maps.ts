/** The maps of the socket path that are its own, pinned beside those of the packet programs. */
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mapShape, openPinned, pinObject } from '../../sys/bpf.ts';
import { BpfMap } from '../../sys/bpf-map.ts';
import { openLibc } from '../../sys/libc.ts';
import { createSocketStorage } from '../../sys/socket-programs/socket-storage.ts';
import { refusal } from '../kernel/load-program.ts';
import { openMaps } from '../kernel/pins.ts';
import { SOCKET_OBJECT } from './programs.gen.ts';

export const OWN_MAPS = [
  'sockets',
  'connections',
  'callers',
  'servers',
  'socket_counters',
  'cookie_probes',
] as const;

/** `sockets`, `connections`, `callers`, `servers`, `socket_counters` and `cookie_probes`; the caller's to close. */
export function openSocketMaps(directory: string): ReadonlyMap<string, BpfMap> {
  const { connections, callers, servers, socket_counters, cookie_probes } = SOCKET_OBJECT.maps;
  const plain = openMaps(
    { ...SOCKET_OBJECT, maps: { connections, callers, servers, socket_counters, cookie_probes } },
    directory,
  );
  try {
    return new Map([...plain, ['sockets', openStorage(join(directory, 'sockets'))]]);
  } catch (error) {
    for (const map of plain.values()) map.close();
    throw error;
  }
}

function openStorage(path: string): BpfMap {
  const { valueSize } = SOCKET_OBJECT.maps.sockets;
  const spec = { name: 'sockets', keySize: 4, valueSize };
  const pinned = openPinned(path);
  if (pinned !== undefined && mapShape(pinned).valueSize === valueSize) return new BpfMap(pinned, spec);
  if (pinned !== undefined) {
    openLibc().close(pinned);
    unlinkSync(path);
  }
  const fd = createSocketStorage('zh_sockets', valueSize);
  if (fd < 0) throw refusal('create map sockets', fd, '');
  try {
    pinObject(fd, path);
    return new BpfMap(fd, spec);
  } catch (error) {
    openLibc().close(fd);
    throw error;
  }
}
