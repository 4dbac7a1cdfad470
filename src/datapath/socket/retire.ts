/**
 * Takes the socket path away: off the cgroup, and out of the pins. UDP sockets that are connected to a backend are ended,
 * because nobody looks after them from then on: they connect again, and go their ordinary way.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openPinned } from '../../sys/bpf.ts';
import { BpfMap } from '../../sys/bpf-map.ts';
import { listNamespaces } from '../../sys/netns/namespaces.ts';
import { SOCKET_OBJECT } from './programs.gen.ts';
import { SocketLinks } from './socket-links.ts';
import { OWN_MAPS } from './socket-maps.ts';
import { endAllSockets } from './stale-sockets.ts';

/** Directories of the pins; nothing happens where nothing is pinned. */
export function retireSocketPath(pins: { readonly maps: string; readonly links: string }): void {
  // First, so that no socket is connected behind our back.
  new SocketLinks(pins.links).detach();
  const fd = openPinned(join(pins.maps, 'connections'));
  if (fd === undefined) return;
  const map = new BpfMap(fd, { name: 'connections', ...SOCKET_OBJECT.maps.connections });
  try {
    endAllSockets(map, listNamespaces());
  } finally {
    map.close();
  }
  for (const name of OWN_MAPS) rmSync(join(pins.maps, name), { force: true });
}
