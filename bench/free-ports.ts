/** Ports of 127.0.0.1 that were free for TCP and UDP a moment ago. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** All are held until the last is found, so that none comes twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held = await Promise.all(Array.from({ length: count }, holdPort));
  for (const { release } of held) release();
  return held.map(({ port }) => port);
}

async function holdPort(): Promise<{ port: number; release: () => void }> {
  const tcp = createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const address = tcp.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const udp = createSocket('udp4').bind(port, '127.0.0.1');
  await once(udp, 'listening');
  return {
    port,
    release() {
      tcp.close();
      udp.close();
    },
  };
}
