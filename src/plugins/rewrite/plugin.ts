/**
 * Asks the plugins behind for something else than the client did, and gives the client an answer to what it asked
 * (dns-server 3.15). Rules see the query in the order of the file; what they do to the answer happens in reverse, so
 * that each undoes its own step. The question in the answer is always the client's.
 */
import { EDNS_OPTION, RCODE } from '../../dns/codes.ts';
import type { Edns, EdnsOption, Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Applied, ResponseRule, Rule } from './rule.ts';

/** Client options that come back in answers whatever rules there are (dns-server 2.3). */
const ECHOED: readonly number[] = [
  EDNS_OPTION.NSID,
  EDNS_OPTION.EXPIRE,
  EDNS_OPTION.COOKIE,
  EDNS_OPTION.TCP_KEEPALIVE,
  EDNS_OPTION.PADDING,
];

type Shown = NonNullable<Applied['shown']>;

/** `keptOptions` are the option codes of local rules. */
export function rewritePlugin(rules: readonly Rule[], keptOptions: ReadonlySet<number>): Plugin {
  const echoed = new Set([...ECHOED, ...keptOptions]);
  return (next) => (query) => {
    const outcome = applyRules(rules, query);
    if (outcome === undefined) return next(query);
    if ('invalidName' in outcome) {
      return {
        rcode: RCODE.SERVFAIL,
        error: new Error(`invalid name after rewrite: ${outcome.invalidName}`),
      };
    }
    return answer(query, outcome, { next, echoed });
  };
}

interface Outcome {
  readonly query: Query;
  /** In the order they are to run. */
  readonly responses: readonly ResponseRule[];
  readonly shown: readonly Shown[];
}

function applyRules(rules: readonly Rule[], original: Query): Outcome | { invalidName: string } | undefined {
  let query = original;
  const responses: ResponseRule[] = [];
  const shown: Shown[] = [];
  let matched = false;
  for (const rule of rules) {
    const applied = rule.apply(query);
    if (applied === undefined) continue;
    if ('invalidName' in applied) return applied;
    matched = true;
    query = applied.query;
    responses.push(...applied.responses);
    if (applied.shown !== undefined) shown.push(applied.shown);
    if (rule.stop) break;
  }
  return matched ? { query, responses: responses.reverse(), shown } : undefined;
}

interface Surroundings {
  readonly next: Handler;
  readonly echoed: ReadonlySet<number>;
}

function answer(original: Query, outcome: Outcome, { next, echoed }: Surroundings): Reply | Promise<Reply> {
  const finish = (reply: Reply): Reply | Promise<Reply> => {
    if (reply.drop) return reply;
    // Without a message the server would make one itself, and no rule would see it.
    const message = reply.message ?? replyTo(original.message, { rcode: reply.rcode });
    const seal = (done: Message) => sealed(reply, done, { original, outcome, echoed });
    const changed = runResponses(outcome.responses, message);
    return changed instanceof Promise ? changed.then(seal) : seal(changed);
  };
  const reply = next(outcome.query);
  return reply instanceof Promise ? reply.then(finish) : finish(reply);
}

function runResponses(rules: readonly ResponseRule[], message: Message): Message | Promise<Message> {
  let changed: Message | Promise<Message> = message;
  for (const rule of rules) changed = changed instanceof Promise ? changed.then(rule) : rule(changed);
  return changed;
}

/** The client's own question, and its options as the rules left them. */
function sealed(
  reply: Reply,
  message: Message,
  { original, outcome, echoed }: { original: Query; outcome: Outcome; echoed: ReadonlySet<number> },
): Reply {
  const { edns } = original.message;
  const own = message.edns ?? (edns && shownEdns(edns, outcome.shown, echoed));
  const restored = { ...message, questions: original.message.questions };
  return {
    ...reply,
    rcode: message.rcode,
    message: own === undefined ? restored : { ...restored, edns: own },
  };
}

/** Undefined when the server's own echo of the client's options is right. */
function shownEdns(client: Edns, shown: readonly Shown[], echoed: ReadonlySet<number>): Edns | undefined {
  const visible = shown.filter(({ code }) => echoed.has(code));
  if (visible.length === 0) return undefined;
  let options: readonly EdnsOption[] = client.options.filter(({ code }) => echoed.has(code));
  for (const { code, data } of visible) {
    options = options.filter((option) => option.code !== code);
    if (data !== undefined) options = [...options, { code, data }];
  }
  return { ...client, options };
}
