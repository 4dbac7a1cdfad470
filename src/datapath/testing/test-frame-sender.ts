/** Test support: `node test-frame-sender.ts IFNAME HEX...` sends whole Ethernet frames as they are (AF_PACKET). */
import { findInterface } from '../../sys/interface.ts';
import { openLibc } from '../../sys/libc.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
/** struct sockaddr_ll of linux/if_packet.h. */
const SOCKADDR_LL_BYTES = 20;

const [ifname = '', ...frames] = process.argv.slice(2);
const address = new Uint8Array(SOCKADDR_LL_BYTES);
const view = new DataView(address.buffer);
view.setUint16(0, AF_PACKET, true);
view.setInt32(4, findInterface(ifname)?.ifindex ?? 0, true);
const libc = openLibc();
const fd = libc.socket(AF_PACKET, SOCK_RAW, 0);
if (fd < 0 || libc.bind(fd, address) < 0) throw new Error(`Cannot send on ${ifname}`);
for (const frame of frames) {
  const bytes = Uint8Array.from(Buffer.from(frame, 'hex'));
  if (libc.send(fd, bytes) !== bytes.length) throw new Error('Cannot send a frame');
}
