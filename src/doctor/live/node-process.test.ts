/** Processes that answer as they please: what comes of them is an answer or a reason, and none outlives its doctor. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../telemetry/clock.ts';
import { isKnown } from '../site/known.ts';
import { unknownNodeFacts } from '../site/site.ts';
import { type NodeProcess, startNodeProcess } from './node-process.ts';
import type { LookQuestion } from './node-protocol.ts';

const PATIENCE_MS = 30_000;
const question: LookQuestion = {
  ...{
    kind: 'look',
    node: 'w1',
    addresses: [],
    pods: [],
    run: 'ab',
    domain: 'cluster.local',
    probeTimeoutMs: 1,
  },
};
const dark = { unknown: 'dark' };
const answer = {
  ...{ kind: 'look', version: 1, facts: unknownNodeFacts('dark'), probes: dark, status: {}, policies: dark },
};

const started: NodeProcess[] = [];
afterEach(() => {
  for (const process of started.splice(0)) process.close();
});

/** `script` is what Node runs. */
function start(script: string): NodeProcess {
  const command = [process.execPath, '-e', script];
  const own = startNodeProcess({ node: 'w1', how: 'here', command }, systemClock);
  started.push(own);
  return own;
}

const say = (value: unknown) => `process.stdout.write(${JSON.stringify(`${JSON.stringify(value)}\n`)})`;
const onQuestion = (statement: string) => `process.stdin.once('data', () => { ${statement} })`;

async function reasonOf(script: string, ms = PATIENCE_MS): Promise<string> {
  const told = await start(script).ask<'look'>(question, ms);
  return isKnown(told) ? 'an answer' : told.unknown;
}

describe('startNodeProcess', () => {
  it('gives the answer, and an agent that is not there stays one that is not there', async () => {
    const told = await start(onQuestion(say(answer))).ask<'look'>(question, PATIENCE_MS);
    expect(told).toMatchObject({ value: { ...answer, status: { value: undefined } } });
  });

  it('gives one answer for each question, in whatever pieces they come', async () => {
    const flows = { kind: 'flows', flows: { value: [] }, upstreams: { value: [] } };
    const text = `${JSON.stringify(answer)}\n${JSON.stringify(flows)}\n`;
    const pieces = `for (const byte of Buffer.from(${JSON.stringify(text)})) process.stdout.write(Buffer.of(byte))`;
    const process = start(onQuestion(pieces));
    expect(isKnown(await process.ask<'look'>(question, PATIENCE_MS))).toBe(true);
    const later = { kind: 'flows', agoMs: 0, origins: [], upstreams: [] } as const;
    expect(await process.ask<'flows'>(later, PATIENCE_MS)).toMatchObject({ value: flows });
  });

  it.each([
    { name: 'another version', script: say({ ...answer, version: 2 }), says: 'of another version' },
    {
      name: 'an answer without its parts',
      script: say({ ...answer, facts: {} }),
      says: 'of another version',
    },
    {
      name: 'words',
      script: "console.log('sh: zerohop: not found')",
      says: 'something else: sh: zerohop: not found',
    },
    {
      name: 'a failure',
      script: "console.error('no rights'); process.exit(3)",
      says: 'exit code 3: no rights',
    },
    { name: 'an end without a word', script: '', says: 'it ended with exit code 0' },
    {
      name: 'a line without end',
      script: "setInterval(() => process.stdout.write('x'.repeat(1 << 20)), 0)",
      says: 'longer than',
    },
  ])('makes a reason of $name', async ({ script, says }) => {
    expect(await reasonOf(script)).toContain(says);
  });

  it('waits no longer than it may', async () => {
    expect(await reasonOf('setInterval(() => 0, 1 << 30)', 50)).toBe('it took too long');
  });

  it('says of a program that is not there that it is not', async () => {
    const process = startNodeProcess({ node: 'w1', how: 'here', command: ['/nowhere/kubectl'] }, systemClock);
    started.push(process);
    expect(await process.ask<'look'>(question, PATIENCE_MS)).toEqual({
      unknown: 'spawn /nowhere/kubectl ENOENT',
    });
  });
});
