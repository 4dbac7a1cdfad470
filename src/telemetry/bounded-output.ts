/**
 * Text to a descriptor whose reader may be slow, stuck or gone: a server must neither wait for whoever reads its log nor
 * keep what he does not read. What does not fit is dropped, whole writes at a time, and counted; the count is told once
 * the reader is back. The descriptor must not block, or writing does.
 */
import { writeSync } from 'node:fs';
import { errorCode } from '../fault/app-error.ts';
import type { Clock } from './clock.ts';

/** Of text that waits for the reader: some ten thousand query lines. */
const MAX_WAITING_BYTES = 1 << 20;
const RETRY_MS = 20;

export interface BoundedOutput {
  /** Whole lines, each with its newline. */
  write(text: string): void;
  /** Before the process goes: hands over what waits, and waits for the reader for at most `patienceMs`, blocking. */
  finish(patienceMs: number): void;
}

export interface BoundedOutputSpec {
  readonly fd: number;
  readonly clock: Clock;
  /** The line, without newline, that tells how many lines were lost. */
  readonly lossLine: (lines: number) => string;
}

export function openBoundedOutput({ fd, clock, lossLine }: BoundedOutputSpec): BoundedOutput {
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let lostLines = 0;
  let gone = false;
  let refused = false;
  let retrying = false;

  function write(text: string): void {
    if (gone) return;
    const bytes = Buffer.from(text);
    if (waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      lostLines += countLines(bytes);
      return;
    }
    waiting.push(bytes);
    waitingBytes += bytes.length;
    if (!retrying) handOver();
  }

  /** Until all is written or the reader's pipe is full. */
  function handOver(): void {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const written = writeSome(first);
      waitingBytes -= written;
      if (written === first.length) waiting.shift();
      else waiting[0] = first.subarray(written);
      if (written === 0 && !gone) {
        retryLater();
        return;
      }
      if (waiting.length === 0 && !refused) tellLoss();
    }
  }

  function writeSome(bytes: Buffer): number {
    try {
      const written = writeSync(fd, bytes);
      refused = false;
      return written;
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return 0;
      // A disk that is full may be emptied, but a reader who has gone does not come back.
      gone = errorCode(error) !== 'ENOSPC';
      refused = true;
      lostLines += countLines(bytes);
      return bytes.length;
    }
  }

  function tellLoss(): void {
    if (lostLines === 0) return;
    const lost = lostLines;
    lostLines = 0;
    const bytes = Buffer.from(`${lossLine(lost)}\n`);
    waiting.push(bytes);
    waitingBytes += bytes.length;
  }

  function retryLater(): void {
    if (retrying) return;
    retrying = true;
    clock.after(RETRY_MS, () => {
      retrying = false;
      handOver();
    });
  }

  return {
    write,
    finish(patienceMs) {
      const pause = new Int32Array(new SharedArrayBuffer(4));
      handOver();
      for (let waitedMs = 0; waiting.length > 0 && waitedMs < patienceMs; waitedMs += RETRY_MS) {
        Atomics.wait(pause, 0, 0, RETRY_MS);
        handOver();
      }
    },
  };
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}
