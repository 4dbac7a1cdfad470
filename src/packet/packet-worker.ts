/**
 * The entry of a packet thread. It loads its code, waits to be told what to read, and never returns to its event loop: it
 * looks for messages when a word in shared memory says that there are some, and for packets otherwise. What it throws
 * ends it; the main thread starts another one on the same descriptors.
 */
import { getPriority, setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { PacketAnswerer, PacketAnswererOptions } from '../wirecache/contract.ts';
import { PacketLoop } from './packet-loop.ts';
import { COMMANDS, ENDED, LIFE, LOADED, SERVING, STARTING } from './shared-state.ts';
import { clockOffsetMs } from './thread-clock.ts';
import {
  type Command,
  DISMISSED,
  type ThreadData,
  type ThreadReport,
  WAKE,
  type WorkerEntry,
} from './thread-messages.ts';

/** A message wakes it; this only bounds what a lost one could cost. */
const IDLE_MS = 1000;

interface AnswererModule {
  createPacketAnswerer(shared: SharedArrayBuffer, options: PacketAnswererOptions): PacketAnswerer;
}

if (parentPort === null) throw new Error('This is no program: it is started as a thread');
const port = parentPort;
const { state: memory, answererModule } = workerData as WorkerEntry;
const state = new Int32Array(memory);
const report = (what: ThreadReport) => port.postMessage(what);

try {
  const module = answererModule === undefined ? undefined : await import(answererModule);
  const data = waitToBegin();
  if (data !== DISMISSED) {
    const loop = prepare(data, module);
    enter(SERVING);
    serve(loop, data.deafMs);
  }
} finally {
  enter(ENDED);
}

/** Blocks: a thread that waits here can be ended at any moment. */
function waitToBegin(): ThreadData | typeof DISMISSED {
  enter(LOADED);
  for (;;) {
    const commands = Atomics.load(state, COMMANDS);
    const received = receiveMessageOnPort(port);
    if (received === undefined) {
      Atomics.wait(state, COMMANDS, commands, IDLE_MS);
      continue;
    }
    enter(STARTING);
    return received.message as ThreadData | typeof DISMISSED;
  }
}

function prepare(
  { ring, sockets, answerer, clockOffsetMs: mainOffsetMs, deafMs, beatAt, priority }: ThreadData,
  module: AnswererModule | undefined,
): PacketLoop {
  const offsetMs = mainOffsetMs - clockOffsetMs();
  const loop = new PacketLoop({
    state: memory,
    ring,
    now: () => performance.now() + offsetMs,
    deafMs,
    wake: () => report(WAKE),
    ...(answerer &&
      module && {
        makeAnswerer: (packets: ArrayBuffer) =>
          module.createPacketAnswerer(answerer.shared, { seat: answerer.seat, packets, random: Math.random }),
      }),
  });
  loop.use(sockets);
  if (beatAt !== undefined) loop.beatAt(beatAt);
  takePriority(priority);
  return loop;
}

/** Whoever ends the process waits for it: a thread that is ended within a call into libc takes the process down. */
function enter(life: number): void {
  Atomics.store(state, LIFE, life);
  Atomics.notify(state, LIFE);
}

/** Of this thread alone: Linux takes 0 as that. */
function takePriority(priority: number): void {
  try {
    if (getPriority() !== priority) setPriority(priority);
  } catch {
    // Only privileged processes may go up again: this one stays where the main thread is.
  }
}

function serve(loop: PacketLoop, deafMs: number): void {
  // Orders that were given before this thread began wait in the port already.
  let seen = Atomics.load(state, COMMANDS) - 1;
  for (;;) {
    const orders = Atomics.load(state, COMMANDS);
    if (orders !== seen && !obeyAll(loop)) return;
    seen = orders;
    if (loop.sockets.length === 0) Atomics.wait(state, COMMANDS, seen, deafMs);
    loop.turn();
  }
}

/** False when the thread has to end. */
function obeyAll(loop: PacketLoop): boolean {
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) return true;
    const command = received.message as Command;
    obey(command, loop);
    report(command.token);
    if (command.do === 'stop') return false;
  }
}

function obey(command: Command, loop: PacketLoop): void {
  switch (command.do) {
    case 'open':
      loop.use([...loop.sockets, command.socket]);
      return;
    case 'drain':
    case 'close': {
      const socket = loop.sockets.find(({ id }) => id === command.id);
      if (socket === undefined) return;
      loop.drain(socket);
      if (command.do === 'close') loop.use(loop.sockets.filter((other) => other !== socket));
      return;
    }
    case 'beat':
      loop.beatAt(command.beatAt);
      return;
    case 'stop':
      loop.use([]);
  }
}
