/**
 * The language of the replay files: what clients ask, what the upstream says, how time passes, what must come out.
 *
 *   CONFIG                               the lines of a server block, indented
 *   UPSTREAM NAME TYPE RCODE [flags]     what the upstream answers from now on, records indented below
 *   UPSTREAM NAME TYPE SILENT            the handlers behind give up with SERVFAIL and no message
 *   QUERY NAME TYPE [do] [ad] [cd] [ch]
 *   ANSWER RCODE [flags]                 to the last QUERY, exactly: flags of aa tc ra ad, records indented below
 *   ANSWER_ANY_ORDER RCODE [flags]       the same, whatever the order of the records
 *   ASKED NUMBER                         queries that reached the upstream since the last ASKED
 *   TIME_PASSES DURATION
 *   METRIC VALUE NAME{LABELS}
 *
 * A record line is `answer|authority|additional OWNER TTL TYPE DATA`. `#` at the start of a line is a comment.
 */
export interface Step {
  readonly verb: string;
  readonly args: readonly string[];
  /** The indented lines below, trimmed. */
  readonly body: readonly string[];
  /** From 1. */
  readonly line: number;
}

const VERBS = new Set([
  'CONFIG',
  'UPSTREAM',
  'QUERY',
  'ANSWER',
  'ANSWER_ANY_ORDER',
  'ASKED',
  'TIME_PASSES',
  'METRIC',
]);

/** Throws on a line that is no step and on a file without expectations: such a file would prove nothing. */
export function parseScript(text: string): readonly Step[] {
  const steps: (Step & { body: string[] })[] = [];
  text.split('\n').forEach((raw, index) => {
    if (raw.trim() === '' || raw.trim().startsWith('#')) return;
    const words = raw.trim().split(/\s+/);
    if (/^\s/.test(raw)) {
      steps.at(-1)?.body.push(raw.trim());
      return;
    }
    const [verb = '', ...args] = words;
    if (!VERBS.has(verb)) throw new Error(`line ${index + 1}: no such step: ${verb}`);
    steps.push({ verb, args, body: [], line: index + 1 });
  });
  const proves = steps.some(({ verb }) => verb.startsWith('ANSWER') || verb === 'ASKED' || verb === 'METRIC');
  if (!proves) throw new Error('the file expects nothing');
  return steps;
}
