/**
 * Test support: `node cookie-probe.ts PIN-DIRECTORY` prints the cookie of its network namespace as a socket tells it and
 * as the programs do, which must be attached to its cgroup.
 */
import { join } from 'node:path';
import { openPinned } from '../../../sys/bpf.ts';
import { BpfMap } from '../../../sys/bpf-map.ts';
import { namespaceCookie } from '../../../sys/netns/namespaces.ts';
import { ABI_VERSION } from '../../kernel/abi.gen.ts';
import { readCookie } from '../cookie.ts';
import { SOCKET_OBJECT } from '../programs.gen.ts';

const [directory = ''] = process.argv.slice(2);
const fd = openPinned(join(directory, `abi-${ABI_VERSION}`, 'maps', 'cookie_probes'));
if (fd === undefined) throw new Error('No programs are attached');
const probes = new BpfMap(fd, { name: 'cookie_probes', ...SOCKET_OBJECT.maps.cookie_probes });
const byProgram = readCookie({ probes, random: Math.random, askSocket: false });
console.log(JSON.stringify({ bySocket: String(namespaceCookie()), byProgram: String(byProgram) }));
