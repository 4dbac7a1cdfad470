/**
 * Test support: Prometheus' text format 0.0.4 read as its documentation has it and no more leniently, since scrapers differ in
 * what they put up with. Throws for what is wrong, with the line.
 */

export interface ExposedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ExposedFamily {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly ExposedSample[];
}

interface OpenFamily extends ExposedFamily {
  readonly samples: ExposedSample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const VALUE = '[+-]?(?:[0-9]+(?:\\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN';
const HELP = new RegExp(`^# HELP (${NAME}) (.*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (${VALUE})$`);
/** One label and what is behind it; in a value only these three are escaped. */
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,?)/;

export function parseExposition(text: string): ReadonlyMap<string, ExposedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, OpenFamily>();
  let open: OpenFamily | undefined;
  let help: { readonly name: string; readonly text: string } | undefined;
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    const fail = (why: string): never => {
      throw new Error(`line ${index + 1}: ${why}: ${line}`);
    };
    if (line === '') continue;
    const helped = HELP.exec(line);
    const typed = TYPE.exec(line);
    if (helped !== null) help = { name: helped[1] ?? '', text: helped[2] ?? '' };
    else if (typed !== null) {
      const [, name = '', kind = ''] = typed;
      if (help?.name !== name) fail('HELP of this family does not stand before it');
      if (families.has(name)) fail('a family stands twice');
      open = { name, help: help?.text ?? '', kind: kind as ExposedFamily['kind'], samples: [] };
      families.set(name, open);
    } else {
      const sample = parseSample(line) ?? fail('no line of this format');
      if (open === undefined || !belongs(sample.name, open)) fail('a sample outside of its family');
      open?.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function parseSample(line: string): ExposedSample | undefined {
  const [, name = '', inside, value = ''] = SAMPLE.exec(line) ?? [];
  if (name === '') return undefined;
  const labels: Record<string, string> = {};
  for (let rest = inside ?? ''; rest !== ''; ) {
    const match = LABEL.exec(rest);
    const [whole = '', label = '', escaped = '', comma = ''] = match ?? [];
    rest = rest.slice(whole.length);
    if (match === null || Object.hasOwn(labels, label) || (comma === '') !== (rest === '')) return undefined;
    labels[label] = escaped.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
  }
  return { name, labels, value: numberOf(value) };
}

function numberOf(text: string): number {
  return text.endsWith('Inf') ? Number(`${text.startsWith('-') ? '-' : ''}Infinity`) : Number(text);
}

function belongs(sample: string, { name, kind }: ExposedFamily): boolean {
  if (kind !== 'histogram') return sample === name;
  return ['_bucket', '_sum', '_count'].some((suffix) => sample === `${name}${suffix}`);
}

function checkFamily({ name, help, kind, samples }: ExposedFamily): void {
  if (help === '') throw new Error(`${name} has no help`);
  const seen = new Set<string>();
  for (const each of samples) {
    const key = JSON.stringify([each.name, ...Object.entries(each.labels).sort()]);
    if (seen.has(key)) throw new Error(`${name} has a series twice: ${key}`);
    seen.add(key);
    if (kind === 'counter' && !(each.value >= 0)) throw new Error(`${name} counts below zero: ${key}`);
  }
  // As Prometheus' own linter asks for.
  if (kind === 'counter' && !name.endsWith('_total')) throw new Error(`${name} is a counter without _total`);
  if (kind !== 'counter' && name.endsWith('_total')) throw new Error(`${name} is no counter`);
  if (kind === 'histogram') checkHistogram(name, samples);
}

/** Of each set of other labels: buckets grow, end with +Inf, and that one is the count. */
function checkHistogram(name: string, samples: readonly ExposedSample[]): void {
  const sets = new Map<string, { le: number; value: number }[]>();
  const setOf = ({ le: _, ...labels }: Readonly<Record<string, string>>) =>
    JSON.stringify(Object.entries(labels).sort());
  for (const { labels, value } of samples.filter((each) => each.name === `${name}_bucket`)) {
    const set = setOf(labels);
    const buckets = sets.get(set) ?? [];
    sets.set(set, buckets);
    buckets.push({ le: numberOf((labels.le ?? 'NaN').replace(/^\+/, '')), value });
  }
  for (const [set, buckets] of sets) {
    const isSorted = buckets.every(({ le, value }, i) => {
      const before = buckets[i - 1];
      return before === undefined || (before.le < le && before.value <= value);
    });
    const count = samples.find((each) => each.name === `${name}_count` && setOf(each.labels) === set);
    const last = buckets.at(-1);
    if (!isSorted || last?.le !== Number.POSITIVE_INFINITY || last.value !== count?.value)
      throw new Error(`${name}${set} is no histogram`);
    if (!samples.some((each) => each.name === `${name}_sum` && setOf(each.labels) === set))
      throw new Error(`${name}${set} has no sum`);
  }
}
