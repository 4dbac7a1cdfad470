/**
 * A real server and an agent of the test's own, over a real socket: what the server says it answers where, and what it does
 * with the memory that it gets.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_LAYOUT } from '../../answermap/answer-abi.gen.ts';
import {
  type AgentMessage,
  decodeCacheMessage,
  encode,
  type Hello,
  type ShelfGrant,
} from '../../heartbeat/messages.ts';
import { BEAT_BYTES, BeatFile, SEATS } from '../../heartbeat/testing/beat-file.ts';
import { freePorts } from '../../net/testing/free-ports.ts';
import {
  type ChannelListener,
  type DescriptorChannel,
  listenForDescriptors,
} from '../../sys/descriptor-channel.ts';
import { DnsServer } from '../dns-server.ts';
import { corefile, type FakeEnvironment, fakeEnvironment } from '../fake-environment.ts';
import { ShelfFiles } from '../hot/testing/shelf-files.ts';
import { ServerHeartbeat } from './server-heartbeat.ts';

const PATIENTLY = { timeout: 10_000 };

let directory: string;
let beats: BeatFile;
let agent: ChannelListener;
let environment: FakeEnvironment;
let server: DnsServer;
let ports: readonly number[];
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-shelf-grant-'));
  beats = new BeatFile(join(directory, 'beats'));
  agent = listenForDescriptors(join(directory, 'beat.sock'));
  environment = fakeEnvironment();
  server = new DnsServer(environment);
  ports = await freePorts(3);
});
afterEach(async () => {
  await server.closeListeners();
  for (const each of open.splice(0).reverse()) each.close();
  agent.close();
  beats.close();
  rmSync(directory, { recursive: true });
});

async function connect({
  kernelAnswers = true,
} = {}): Promise<{ heartbeat: ServerHeartbeat; channel: DescriptorChannel }> {
  const { clock, log } = environment;
  const path = join(directory, 'beat.sock');
  const heartbeat = new ServerHeartbeat({ path, clock, log: log(''), server, localIps: [], kernelAnswers });
  open.push(heartbeat);
  await heartbeat.start();
  let channel: DescriptorChannel | undefined;
  await expect.poll(() => (channel ??= agent.accept()), PATIENTLY).toBeDefined();
  if (channel === undefined) throw new Error('nobody called');
  open.push(channel);
  return { heartbeat, channel };
}

/** The next hello; whatever else comes is passed over. */
async function hello(channel: DescriptorChannel): Promise<Hello> {
  let found: Hello | undefined;
  const look = () => {
    const heard = channel.receive();
    if (typeof heard === 'string') return found;
    const message = decodeCacheMessage(heard.bytes);
    if (message.ok && message.value.kind === 'hello') found = message.value.hello;
    return found;
  };
  await expect.poll(look, PATIENTLY).toBeDefined();
  if (found === undefined) throw new Error('nothing was said');
  return found;
}

function seat(channel: DescriptorChannel, shelf?: ShelfFiles): void {
  const grant: { shelf?: ShelfGrant } = shelf === undefined ? {} : { shelf: shelf.grant };
  const seated: Extract<AgentMessage, { kind: 'seated' }>['seated'] = {
    seat: 3,
    seats: SEATS,
    beatBytes: BEAT_BYTES,
    ...grant,
  };
  channel.send(encode(seated), [beats.fd, ...(shelf?.fds ?? [])]);
}

function newShelf(number: number): ShelfFiles {
  const files = new ShelfFiles(number);
  open.push(files);
  return files;
}

async function figure(name: string): Promise<number> {
  const text = await environment.metrics.text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

const block = (key: string, bind = '') => `${key} {\n${bind}\ncache\n}\n`;

describe('the server asks for a shelf', () => {
  it('naming each UDP listener, a wildcard without an address, and what it writes', async () => {
    const [one = 0, two = 0, three = 0] = ports;
    const local = 'bind 127.0.0.1 127.0.0.2';
    await server.apply(
      corefile(block(`.:${one}`, local) + block(`.:${two}`) + block(`tls://.:${three}`, local)),
    );
    const { channel } = await connect();
    expect((await hello(channel)).answers).toEqual({
      layout: ANSWER_LAYOUT,
      listeners: [
        { address: '127.0.0.1', port: one, view: 1 },
        { address: '127.0.0.2', port: one, view: 2 },
        { port: two, view: 3 },
      ],
    });
  });

  it('and says it again with another configuration, in which no view is another listener’s', async () => {
    const [one = 0, two = 0] = ports;
    await server.apply(corefile(block(`.:${one}`, 'bind 127.0.0.1')));
    const { heartbeat, channel } = await connect();
    await hello(channel);
    seat(channel, newShelf(7));
    await expect
      .poll(() => environment.lines, PATIENTLY)
      .toContain('[INFO] The agent watches this process: seat 3');
    await server.apply(corefile(block(`.:${two}`, 'bind 127.0.0.1')));
    heartbeat.announce();
    const later = await hello(channel);
    expect(later.answers).toMatchObject({ shelf: 7, listeners: [{ port: two, view: 2 }] });
    await server.apply(corefile(block(`.:${one}`, 'bind 127.0.0.1')));
    heartbeat.announce();
    expect((await hello(channel)).answers).toMatchObject({ shelf: 7, listeners: [{ port: one, view: 1 }] });
  });

  it('not when it is told not to', async () => {
    await server.apply(corefile(block(`.:${ports[0]}`, 'bind 127.0.0.1')));
    const { channel } = await connect({ kernelAnswers: false });
    expect(await hello(channel)).not.toHaveProperty('answers');
  });

  it('and answers also where it gets none, or one that is laid out for another version', async () => {
    await server.apply(corefile(block(`.:${ports[0]}`, 'bind 127.0.0.1')));
    const { heartbeat, channel } = await connect();
    await hello(channel);
    seat(channel);
    await expect.poll(() => beats.row(3)[0], PATIENTLY).not.toBe(0n);
    const files = newShelf(7);
    new Uint32Array(files.memory.places.buffer, 0, 4).fill(99);
    heartbeat.announce();
    await hello(channel);
    seat(channel, files);
    await expect.poll(() => environment.lines.join('\n'), PATIENTLY).toContain('Cannot fill the answer map');
    heartbeat.announce();
    expect((await hello(channel)).answers).not.toHaveProperty('shelf');
    expect(await figure('zerohop_kernel_answers_slots')).toBe(0);
  });
});
