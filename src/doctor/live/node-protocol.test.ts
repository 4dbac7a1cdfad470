/** Answers of nodes that are somebody else's by now: what is no answer is none, and is nobody's crash. */
import { describe, expect, it } from 'vitest';
import { known, unknown } from '../site/known.ts';
import { FAULTY_SITES } from '../testing/faulty-sites.ts';
import { probe } from '../testing/live-site.ts';
import { parseAnswer } from './node-protocol.ts';

const dark = unknown('dark');
const flow = {
  ...{ time: '2026-01-01T00:00:00Z', node_name: 'w1', Summary: '', source: {}, destination: {} },
  ...{ IP: { source: '172.20.1.5', destination: '10.96.0.10' }, event_type: { type: 4 }, l4: { UDP: {} } },
};

function look(over: object = {}, told?: object): string {
  const [site] = FAULTY_SITES;
  const facts = { ...site?.nodes[0]?.facts, ...over };
  const status = told === undefined ? {} : known(told);
  return JSON.stringify({ kind: 'look', version: 1, facts, probes: dark, status, policies: dark });
}

function probes(over: object): string {
  const value = { trails: [probe()], origins: {}, skipped: [], ...over };
  return look().replace('"probes":{"unknown":"dark"}', `"probes":${JSON.stringify(known(value))}`);
}

describe('parseAnswer', () => {
  it('takes everything that a node tells', () => {
    for (const { nodes } of FAULTY_SITES)
      for (const { facts } of nodes) expect(parseAnswer(look(facts), 'look')).toMatchObject({ facts });
    expect(parseAnswer(probes({}), 'look')).toBeDefined();
    const flows = JSON.stringify({ kind: 'flows', flows: known([flow]), upstreams: dark });
    expect(parseAnswer(flows, 'flows')).toBeDefined();
  });

  it('takes what an agent tells of kernel answers, and what one tells that knows of none', () => {
    const status = { version: '1', startedAtMs: 0, redirects: true, redirected: 0, fellBack: {} };
    const kernelAnswers = {
      ...{ on: true, served: [{ address: '172.20.1.9', port: 53 }], answered: 1, of: 2 },
      refused: [{ pod: 'default/a', reason: 'why' }],
    };
    for (const told of [status, { ...status, kernelAnswers }])
      expect(parseAnswer(look({}, told), 'look')).toMatchObject({ status: known(told) });
    const bad = { ...status, kernelAnswers: { ...kernelAnswers, refused: 'all' } };
    expect(parseAnswer(look({}, bad), 'look')).toBeUndefined();
  });

  it.each([
    { name: 'rules that are no list', line: look({ rules: known({}) }) },
    {
      name: 'a family of a rule that goes on in the shell',
      line: look({ rules: known([{ family: 'ip;' }]) }),
    },
    { name: 'an address that is none', line: look({ sockets: known([{ address: 'x' }]) }) },
    { name: 'facts that are not there', line: look({ kernel: undefined }) },
    { name: 'trails that are a number', line: probes({ trails: 5 }) },
    { name: 'a trail of nothing', line: probes({ trails: [null] }) },
    { name: 'an outcome of its own', line: probes({ trails: [{ ...probe(), outcome: 'fine' }] }) },
    {
      name: 'a verdict already made',
      line: probes({ trails: [{ ...probe(), server: { address: '10.0.0.1', port: 53, cache: true } }] }),
    },
    { name: 'a list for an answer', line: '[]' },
    { name: 'an answer to another question', line: JSON.stringify({ kind: 'flows' }) },
  ])('takes no answer with $name', ({ line }) => {
    expect(parseAnswer(line, 'look')).toBeUndefined();
  });

  it.each([null, 7, {}, { ...flow, IP: null }, { ...flow, l4: 'UDP' }, { ...flow, source: [] }])(
    'takes no flows with %j among them',
    (one) => {
      const line = JSON.stringify({ kind: 'flows', flows: known([flow, one]), upstreams: dark });
      expect(parseAnswer(line, 'flows')).toBeUndefined();
    },
  );
});
