/** Descriptors passed to ourselves: what was sent by one is received by the other. */
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectForDescriptors, listenForDescriptors, MAX_DESCRIPTORS } from './descriptor-channel.ts';
import { ownSockets } from './own-sockets.ts';

const scratch = mkdtempSync(join(tmpdir(), 'zerohop-descriptors-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function channel(name: string) {
  const path = join(scratch, name);
  const listener = listenForDescriptors(path);
  const here = connectForDescriptors(path);
  const there = listener.accept();
  listener.close();
  if (there === undefined) throw new Error('nobody connected');
  return { here, there };
}

describe('a channel for descriptors', () => {
  it('makes them another one of the same file, and keeps messages apart', () => {
    const { here, there } = channel('files');
    const file = join(scratch, 'text');
    writeFileSync(file, 'hello');
    const fd = openSync(file, 'r');
    here.send(Buffer.from('one'), [fd, fd, fd]);
    here.send(Buffer.from('two'));
    closeSync(fd);
    const received = there.receive();
    if (typeof received === 'string') throw new Error(received);
    expect(Buffer.from(received.bytes).toString()).toBe('one');
    expect(received.fds).toHaveLength(3);
    expect(new Set(received.fds.map((each) => fstatSync(each).ino)).size).toBe(1);
    expect(readFileSync(received.fds[1] ?? -1, 'utf8')).toBe('hello');
    for (const each of received.fds) closeSync(each);
    expect(there.receive()).toMatchObject({ fds: [] });
    expect(there.receive()).toBe('nothing');
    here.close();
    expect(there.receive()).toBe('closed');
    there.close();
  });

  it('tells whether there is something to receive, the end included', () => {
    const { here, there } = channel('ready');
    expect(there.isReady()).toBe(false);
    here.send(Buffer.from('one'));
    expect(there.isReady()).toBe(true);
    there.receive();
    expect(there.isReady()).toBe(false);
    here.close();
    expect(there.isReady()).toBe(true);
    expect(there.receive()).toBe('closed');
    there.close();
  });

  it('takes as many at once as it says', () => {
    const { here, there } = channel('many');
    here.send(Uint8Array.of(1), Array(MAX_DESCRIPTORS).fill(0));
    const received = there.receive();
    if (typeof received === 'string') throw new Error(received);
    expect(received.fds).toHaveLength(MAX_DESCRIPTORS);
    for (const fd of received.fds) closeSync(fd);
    here.close();
    there.close();
  });

  it('says so when nobody is there', () => {
    expect(() => connectForDescriptors(join(scratch, 'nobody'))).toThrow('ENOENT');
    const [tooLong, mask] = [join(scratch, 'x'.repeat(120)), process.umask()];
    expect(() => listenForDescriptors(tooLong)).toThrow('ENAMETOOLONG');
    expect(() => connectForDescriptors(tooLong)).toThrow('ENAMETOOLONG');
    expect(process.umask()).toBe(mask);
    const { here, there } = channel('gone');
    there.close();
    expect(() => here.send(Uint8Array.of(1))).toThrow('EPIPE');
    here.close();
  });
});

describe('ownSockets', () => {
  it('finds what listens, by its address', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    expect(ownSockets()).toContainEqual(expect.objectContaining({ kind: 'tcp', address: '127.0.0.1', port }));
    server.close();
  });
});
