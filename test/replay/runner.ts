/**
 * Plays a replay file against the real plugins of its CONFIG, chained as the server chains them, over an upstream that
 * says what the file says. The only clock is the virtual one.
 */
import { parseRcode, parseType, rcodeName, typeName } from '../../src/dns/codes.ts';
import type { Message, ResourceRecord } from '../../src/dns/message.ts';
import { canonicalName } from '../../src/dns/name.ts';
import { recordAddress } from '../../src/dns/rdata/address.ts';
import { recordTarget } from '../../src/dns/rdata/target.ts';
import { replyTo } from '../../src/dns/reply.ts';
import { parseDurationMs } from '../../src/plugins/directive.ts';
import { directivesOf, type FakeHost, fakeBlock, fakeHost, name } from '../../src/plugins/fake-host.ts';
import { ask, record } from '../../src/plugins/fake-query.ts';
import { KNOWN_WORDS, PLUGIN_ORDER } from '../../src/plugins/order.ts';
import type { Handler, Query, Reply } from '../../src/server/handler.ts';
import type { Step } from './script.ts';

/** A printed reply: `NOERROR aa ra`, then its records. */
export interface Printed {
  readonly head: string;
  readonly records: readonly string[];
}

export interface Outcome {
  readonly step: Step;
  readonly expected: unknown;
  readonly actual: unknown;
}

type Script = (query: Query) => Reply;

/** One outcome per expectation, in order; the caller compares. */
export async function play(steps: readonly Step[]): Promise<readonly Outcome[]> {
  const host = fakeHost({ random: dice() });
  const upstream = new Map<string, Script>();
  const outcomes: Outcome[] = [];
  let asked = 0;
  let handler: Handler = (query) => {
    asked++;
    return upstream.get(upstreamKey(query.question.name, query.question.type))?.(query) ?? { rcode: 2 };
  };
  let reply: Reply = { rcode: 0 };
  for (const step of steps) {
    switch (step.verb) {
      case 'CONFIG':
        handler = await chain(step, host, handler);
        break;
      case 'UPSTREAM':
        upstream.set(upstreamKey(name(step.args[0] ?? ''), typeOf(step)), upstreamScript(step));
        break;
      case 'QUERY':
        reply = await handler(queryOf(step));
        await settle();
        break;
      case 'TIME_PASSES':
        host.clock.pass(parseDurationMs(step.args[0] ?? '') ?? Number.NaN);
        break;
      case 'ASKED':
        outcomes.push({ step, expected: Number(step.args[0]), actual: asked });
        asked = 0;
        break;
      case 'METRIC': {
        const actual = await host.metric(step.args.slice(1).join(' '));
        outcomes.push({ step, expected: Number(step.args[0]), actual });
        break;
      }
      default:
        outcomes.push(compared(step, reply));
    }
  }
  return outcomes;
}

/** In the order of the server, whatever the order of the lines (dns-server 1.6). */
async function chain(step: Step, host: FakeHost, last: Handler): Promise<Handler> {
  const all = directivesOf(step.body.join('\n'), KNOWN_WORDS);
  let handler = last;
  for (const { word, load } of PLUGIN_ORDER.toReversed()) {
    const directives = all.filter((directive) => directive.name.text === word);
    if (directives.length === 0 || load === undefined) continue;
    const { setup } = await load();
    handler = setup({ directives, host, block: fakeBlock }).plugin?.(handler) ?? handler;
  }
  return handler;
}

/** What runs behind a reply, such as a refresh, needs a few turns of the promise queue. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function upstreamKey(qname: Parameters<typeof canonicalName>[0], qtype: number): string {
  return `${qtype} ${canonicalName(qname)}`;
}

function typeOf(step: Step): number {
  const type = parseType(step.args[1] ?? '');
  if (type === undefined) throw new Error(`line ${step.line}: no such type: ${step.args[1]}`);
  return type;
}

function queryOf(step: Step): Query {
  const [qname = '', qtype, ...flags] = step.args;
  typeOf(step);
  return ask(qname, qtype, {
    dnssecOk: flags.includes('do'),
    authenticData: flags.includes('ad'),
    checkingDisabled: flags.includes('cd'),
    class: flags.includes('ch') ? 3 : 1,
  });
}

function upstreamScript(step: Step): Script {
  const [, , outcome = '', ...flags] = step.args;
  if (outcome === 'SILENT') return () => ({ rcode: 2, error: new Error('i/o timeout') });
  const rcode = rcodeOf(step, outcome);
  const stranger = flags.find((flag) => flag.startsWith('question='))?.slice('question='.length);
  return ({ message }) => {
    const plain = replyTo(message, {
      rcode,
      answers: section(step, 'answer'),
      authorities: section(step, 'authority'),
      additionals: section(step, 'additional'),
      authoritative: flags.includes('aa'),
      recursionAvailable: flags.includes('ra'),
      authenticData: flags.includes('ad'),
    });
    const truncated: Message = { ...plain, flags: { ...plain.flags, truncated: flags.includes('tc') } };
    const questions = plain.questions.map((question) => ({
      ...question,
      name: name(stranger ?? question.name),
    }));
    return { rcode, message: { ...truncated, questions } };
  };
}

function rcodeOf(step: Step, text: string): number {
  const rcode = parseRcode(text);
  if (rcode === undefined) throw new Error(`line ${step.line}: no such rcode: ${text}`);
  return rcode;
}

function section(step: Step, word: string): ResourceRecord[] {
  return step.body
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => record(line.slice(word.length)));
}

function compared(step: Step, reply: Reply): Outcome {
  const sorted = step.verb === 'ANSWER_ANY_ORDER';
  const expected = {
    head: step.args.join(' '),
    records: ['answer', 'authority', 'additional'].flatMap((word) => printed(word, section(step, word))),
  };
  const actual = printedReply(reply);
  return { step, expected: sorted ? inOrder(expected) : expected, actual: sorted ? inOrder(actual) : actual };
}

function inOrder({ head, records }: Printed): Printed {
  return { head, records: [...records].sort() };
}

function printedReply({ rcode, message }: Reply): Printed {
  if (message === undefined) return { head: `${rcodeName(rcode)} empty`, records: [] };
  const { authoritative: aa, truncated: tc, recursionAvailable: ra, authenticData: ad } = message.flags;
  const flags = Object.entries({ aa, tc, ra, ad }).filter(([, set]) => set);
  return {
    head: [rcodeName(message.rcode), ...flags.map(([flag]) => flag)].join(' '),
    records: [
      ...printed('answer', message.answers),
      ...printed('authority', message.authorities),
      ...printed('additional', message.additionals),
    ],
  };
}

function printed(word: string, records: readonly ResourceRecord[]): string[] {
  return records.map((each) => {
    const data = recordAddress(each) ?? recordTarget(each) ?? Buffer.from(each.rdata).toString('hex');
    return `${word} ${each.name} ${each.ttlSeconds} ${typeName(each.type)} ${data}`;
  });
}

/** Numbers that look random and are the same in every run. */
function dice(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}
