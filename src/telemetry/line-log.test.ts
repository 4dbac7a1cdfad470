import { describe, expect, it } from 'vitest';
import { createLineLog, createLineSink, type LogLevel } from './line-log.ts';

class Ended extends Error {}

function setup(options: { prefix?: string; debug?: () => boolean; level?: () => LogLevel | undefined } = {}) {
  const written: string[] = [];
  const sink = createLineSink((text) => written.push(text));
  const exit = (code: number): never => {
    throw new Ended(`exit ${code}`);
  };
  return { written, sink, log: createLineLog({ sink, exit, ...options }) };
}

describe('createLineLog', () => {
  it('writes CoreDNS lines, several in one write', async () => {
    const { written, log } = setup({ prefix: 'plugin/errors: ' });
    log.info('one');
    log.warning('two');
    log.error('three');
    expect(written).toEqual([]);
    await new Promise((done) => setImmediate(done));
    expect(written).toEqual([
      '[INFO] plugin/errors: one\n[WARNING] plugin/errors: two\n[ERROR] plugin/errors: three\n',
    ]);
  });

  it('prints debug lines only when asked to', () => {
    const quiet = setup();
    quiet.log.debug('x');
    quiet.sink.flush();
    expect(quiet.written).toEqual([]);
    const loud = setup({ debug: () => true });
    loud.log.debug('x');
    loud.sink.flush();
    expect(loud.written).toEqual(['[DEBUG] x\n']);
  });

  it.each<[level: LogLevel, lines: string]>([
    ['debug', '[DEBUG] d\n[INFO] i\n[WARNING] w\n[ERROR] e\n'],
    ['info', '[INFO] i\n[WARNING] w\n[ERROR] e\n'],
    ['warning', '[WARNING] w\n[ERROR] e\n'],
    ['error', '[ERROR] e\n'],
  ])('writes from the level %s on, whatever `debug` says', (level, lines) => {
    for (const debug of [true, false]) {
      const { written, log, sink } = setup({ debug: () => debug, level: () => level });
      log.debug('d');
      log.info('i');
      log.warning('w');
      log.error('e');
      sink.flush();
      expect(written.join('')).toBe(lines);
    }
  });

  it('gets a fatal line out before it ends the process', () => {
    const { written, log } = setup();
    log.info('before');
    expect(() => log.fatal('the end')).toThrow('exit 1');
    expect(written.join('')).toBe('[INFO] before\n[FATAL] the end\n');
  });
});
