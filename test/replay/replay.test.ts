import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { play } from './runner.ts';
import { parseScript } from './script.ts';

const DIRECTORY = new URL('./', import.meta.url);
const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.replay'));

describe('replay files', () => {
  it.each(files)('%s', async (file) => {
    const outcomes = await play(parseScript(readFileSync(new URL(file, DIRECTORY), 'utf8')));
    for (const { step, expected, actual } of outcomes) {
      expect(actual, `${file}:${step.line} ${step.verb}`).toEqual(expected);
    }
  });

  it('are more than a handful', () => {
    expect(files.length).toBeGreaterThanOrEqual(15);
  });
});

describe('the replay runner', () => {
  const sample = (ttl: number) => `
CONFIG
  cache 30
UPSTREAM example.org. A NOERROR
  answer example.org. 3600 A 192.0.2.1
QUERY example.org. A
ANSWER NOERROR
  answer example.org. ${ttl} A 192.0.2.1
`;
  const holds = async (text: string) => {
    for (const { expected, actual } of await play(parseScript(text))) expect(actual).toEqual(expected);
  };

  it('notices when an answer is not as written', async () => {
    await holds(sample(30));
    await expect(holds(sample(31))).rejects.toThrow();
  });

  it('refuses steps it does not know, and files that expect nothing', () => {
    expect(() => parseScript('ANWSER NOERROR')).toThrow('line 1: no such step: ANWSER');
    expect(() => parseScript('QUERY example.org. A')).toThrow('expects nothing');
  });
});
