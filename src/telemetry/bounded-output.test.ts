import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type BoundedOutput, openBoundedOutput } from './bounded-output.ts';
import type { Clock } from './clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-output-'));
const fds: number[] = [];
let made = 0;
afterAll(() => {
  for (const fd of fds) closeSync(fd);
  rmSync(directory, { recursive: true });
});

const O = constants;

/** Runs what was put off when it is told to. */
class HandClock implements Clock {
  readonly #due: (() => void)[] = [];
  nowMs = () => 0;
  monotonicMs = () => 0;
  after = (_delayMs: number, run: () => void) => {
    this.#due.push(run);
    return { cancel: () => undefined };
  };
  pass = () => {
    for (const run of this.#due.splice(0)) run();
  };
  get pending(): number {
    return this.#due.length;
  }
}

/** A named pipe: what one end is given, the other reads. The kernel keeps 64 KB. */
function pipe(): { output: BoundedOutput; clock: HandClock; read(): string; reader: number } {
  const path = join(directory, `pipe${made++}`);
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, O.O_RDONLY | O.O_NONBLOCK);
  const fd = openSync(path, O.O_WRONLY | O.O_NONBLOCK);
  fds.push(fd);
  const clock = new HandClock();
  const output = openBoundedOutput({ fd, clock, lossLine: (lines) => `lost ${lines}` });
  const buffer = Buffer.alloc(1 << 20);
  const read = () => {
    try {
      return buffer.toString('utf8', 0, readSync(reader, buffer));
    } catch {
      return ''; // empty for now
    }
  };
  return { output, clock, read, reader };
}

const LINE = `${'x'.repeat(999)}\n`;

/** Turns the clock until nothing more comes. */
function readAll({ clock, read }: ReturnType<typeof pipe>): string {
  let text = '';
  for (let idle = 0; idle < 3; idle++) {
    const more = read();
    if (more !== '') idle = 0;
    text += more;
    clock.pass();
  }
  return text;
}

it('hands text over at once while it is read', () => {
  const { output, read, clock } = pipe();
  output.write('one\ntwo\n');
  expect(read()).toBe('one\ntwo\n');
  expect(clock.pending).toBe(0);
});

it('keeps what a slow reader has not read yet, and gives it to him in order', () => {
  const end = pipe();
  const lines = Array.from({ length: 500 }, (_, i) => `${i} ${LINE}`);
  for (const line of lines) end.output.write(line);
  expect(readAll(end)).toBe(lines.join(''));
  expect(end.clock.pending).toBe(0);
});

it('drops whole lines of what a stuck reader leaves, and tells him how many once he is back', () => {
  const end = pipe();
  for (let i = 0; i < 5000; i++) end.output.write(LINE);
  const lines = readAll(end).split('\n');
  expect(lines.pop()).toBe('');
  const kept = lines.filter((line) => line.length === 999).length;
  const lost = Number(/^lost (\d+)$/.exec(lines.at(-1) ?? '')?.[1]);
  expect(kept + lost).toBe(5000);
  expect(kept).toBe(lines.length - 1);
  expect(kept * 1000).toBeLessThan((1 << 20) + 200_000);
  end.output.write('again\n');
  expect(end.read()).toBe('again\n');
});

it('is silent to a reader who has gone', () => {
  const { output, reader, clock } = pipe();
  closeSync(reader);
  for (let i = 0; i < 3; i++) output.write(LINE);
  output.finish(1000);
  expect(clock.pending).toBe(0);
});

it('survives a disk that is full', () => {
  const clock = new HandClock();
  const fd = openSync('/dev/full', 'w');
  fds.push(fd);
  const output = openBoundedOutput({ fd, clock, lossLine: (lines) => `lost ${lines}` });
  output.write('one\ntwo\n');
  output.write('three\n');
  output.finish(100);
  expect(clock.pending).toBe(0);
});

it('waits at the end for a reader, and not for ever', () => {
  const end = pipe();
  for (let i = 0; i < 200; i++) end.output.write(LINE);
  end.output.finish(60);
  expect(end.read().length).toBeGreaterThan(0);
  end.output.finish(60);
  expect(end.read().length).toBeGreaterThan(0);
});
