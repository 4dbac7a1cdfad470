/** Ports of 127.0.0.1 that were free for TCP and UDP a moment ago. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** All are held until the last is found, so that none comes twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => holdPort()));
  for (const { release } of held) release();
  return held.map(({ port }) => port);
}

/** What the system has free for TCP may be the source port of somebody's query: then it is asked for another one. */
async function holdPort(attempts = 8): Promise<{ port: number; release: () => void }> {
  const tcp = createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const address = tcp.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const udp = createSocket('udp4').bind(port, '127.0.0.1');
  try {
    await once(udp, 'listening');
  } catch (error) {
    tcp.close();
    udp.close();
    if (attempts === 1) throw error;
    return holdPort(attempts - 1);
  }
  return {
    port,
    release() {
      tcp.close();
      udp.close();
    },
  };
}
