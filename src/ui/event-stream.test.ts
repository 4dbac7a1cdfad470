/** A reader that does not read. */
import { createServer, get, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { EventStream } from './event-stream.ts';

it('keeps a bounded amount for a reader that does not read, and counts what it drops', async () => {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, response) => resolve(response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const request = get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, (response) =>
    response.pause(),
  );
  request.on('error', () => undefined);
  const response = await promise;
  const stream = new EventStream(response, {});
  const message = 'x'.repeat(20_000);
  // More than the kernel takes for a socket (tcp_wmem and tcp_rmem: some megabytes) and we do.
  for (let i = 0; i < 2000; i++) stream.send('snapshot', message);
  expect(stream.dropped).toBeGreaterThan(0);
  expect(response.writableLength).toBeLessThan(256 * 1024 + 2 * message.length);
  stream.close();
  request.destroy();
  await new Promise<void>((done) => server.close(() => done()));
});
