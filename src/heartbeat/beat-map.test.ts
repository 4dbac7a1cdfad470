import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { BeatMap } from './beat-map.ts';
import { BeatWriter } from './beat-writer.ts';
import { BeatFile } from './testing/beat-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-beats-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('BeatMap', () => {
  it('is shared with every thread: each writes its own word', async () => {
    const file = new BeatFile(join(directory, 'map'));
    const map = new BeatMap(file.fd, file);
    const row = map.row(9);
    expect(row.threads).toBe(7);
    expect(row.addressOf(7)).toBeUndefined();
    const writer = new URL('./beat-writer.ts', import.meta.url).href;
    const code = `const { BeatWriter } = await import(${JSON.stringify(writer)});
      const { workerData } = await import('node:worker_threads');
      new BeatWriter(workerData).tick(0);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
      workerData: row.addressOf(1),
    });
    await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    row.beat(123n);
    const [main, first, second, ...others] = file.row(9);
    expect([main, first]).toEqual([123n, 0n]);
    expect(process.hrtime.bigint() - (second ?? 0n)).toBeLessThan(60_000_000_000n);
    expect(others).toEqual(Array(5).fill(0n));
    expect(row.ages(200n)).toHaveLength(2);
    row.clear();
    expect(file.row(9)).toEqual(Array(8).fill(0n));
    map.close();
    map.close();
    file.close();
  });
});

describe('BeatWriter', () => {
  it('reads the clock of the system at most every 20 ms of its own', () => {
    const file = new BeatFile(join(directory, 'writer'));
    const map = new BeatMap(file.fd, file);
    const writer = new BeatWriter(map.row(1).addressOf(0) ?? 0n);
    const word = () => file.row(1)[1] ?? 0n;
    writer.tick(1000);
    const first = word();
    expect(first).toBeGreaterThan(0n);
    writer.tick(1019);
    expect(word()).toBe(first);
    writer.tick(1020);
    expect(word()).toBeGreaterThan(first);
    map.close();
    file.close();
  });
});
