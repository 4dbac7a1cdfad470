/**
 * Answers with records that are made from the name that is asked (dns-server 3.16). Templates are tried in the order of
 * the file; the first that matches answers alone. What a template cannot make is SERVFAIL, an error and a metric.
 */
import { CLASS, className, EDNS_OPTION, RCODE, TYPE, typeName } from '../../dns/codes.ts';
import type { Edns, Message, ResourceRecord } from '../../dns/message.ts';
import { type Name, ROOT } from '../../dns/name.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import { parseRecordText } from '../../zonefile/record-text.ts';
import type { Host } from '../contract.ts';
import { matchingZone } from '../zones.ts';
import type { MatchLabels, Section, TemplateMetrics } from './metrics.ts';
import { matchRule, type TemplateRule } from './rule.ts';
import { type Matched, templateData } from './template-data.ts';
import type { Template } from './text-template/text-template.ts';
import type { Struct } from './text-template/value.ts';

/** Of records that say no TTL. */
const DEFAULT_TTL_SECONDS = 3600;
/** Of the OPT record that an extended error stands in. */
const UDP_SIZE = 4096;

export interface TemplateOptions {
  readonly rules: readonly TemplateRule[];
  readonly metrics: TemplateMetrics;
  readonly resolve: Host['resolve'];
}

export function templatePlugin(options: TemplateOptions): Plugin {
  const zones = [...new Set(options.rules.flatMap((rule) => rule.zones))];
  return (next) => (query) => {
    if (matchingZone(zones, query.question.name) === undefined) return next(query);
    for (const rule of options.rules) {
      const outcome = matchRule(rule, query);
      if (outcome.kind === 'next') continue;
      return outcome.kind === 'fail'
        ? { rcode: RCODE.SERVFAIL }
        : answer(query, { rule, matched: outcome.matched, options });
    }
    return next(query);
  };
}

interface Match {
  readonly rule: TemplateRule;
  readonly matched: Matched;
  readonly options: TemplateOptions;
}

function answer(query: Query, { rule, matched, options }: Match): Reply | Promise<Reply> {
  const { metrics, resolve } = options;
  const labels: MatchLabels = [
    query.server,
    matched.zone,
    query.view,
    className(matched.class),
    typeName(matched.type),
  ];
  metrics.matched(labels);
  if (rule.rcode === RCODE.SERVFAIL) return { rcode: RCODE.SERVFAIL };
  const maker = { data: templateData(query, matched), labels, metrics };
  const answers = makeRecords(rule.answer, 'answer', maker);
  if (answers instanceof Error) return { rcode: RCODE.SERVFAIL, error: answers };
  const additionals = makeRecords(rule.additional, 'additional', maker);
  if (additionals instanceof Error) return { rcode: RCODE.SERVFAIL, error: additionals };
  const authorities = makeRecords(rule.authority, 'authority', maker);
  if (authorities instanceof Error) return { rcode: RCODE.SERVFAIL, error: authorities };
  const reply = (chased: readonly ResourceRecord[]): Reply => {
    const content = { rcode: rule.rcode, authoritative: true, answers: chased, additionals, authorities };
    const message = replyTo(query.message, content);
    return { rcode: rule.rcode, message: withExtendedError(message, rule) };
  };
  const hasAlias = isAddressQuery(query) && answers.some(({ type }) => type === TYPE.CNAME);
  return hasAlias ? chase(query, answers, resolve).then(reply) : reply(answers);
}

interface Maker {
  readonly data: Struct;
  readonly labels: MatchLabels;
  readonly metrics: TemplateMetrics;
}

/** An error for the log instead of records when one of the templates fails. A template without output makes no record. */
function makeRecords(
  templates: readonly Template[],
  section: Section,
  maker: Maker,
): ResourceRecord[] | Error {
  const records: ResourceRecord[] = [];
  for (const template of templates) {
    const { source } = template;
    const made = template.execute(maker.data);
    if (!made.ok) {
      maker.metrics.failed('template', maker.labels, { section, source });
      return new Error(`template: ${section}: ${made.reason}: ${source}`);
    }
    const text = made.value.trim();
    if (text === '') continue;
    const record = parseRecordText(text, { origin: ROOT, defaultTtlSeconds: DEFAULT_TTL_SECONDS });
    if (!record.ok) {
      maker.metrics.failed('rr', maker.labels, { section, source });
      return new Error(`dns: ${record.reason}: ${oneLine(text)}`);
    }
    records.push(record.value);
  }
  return records;
}

/** Behind each CNAME, what this server itself answers for its target. */
async function chase(
  query: Query,
  answers: readonly ResourceRecord[],
  resolve: Host['resolve'],
): Promise<readonly ResourceRecord[]> {
  const chased: ResourceRecord[] = [];
  for (const record of answers) {
    chased.push(record);
    const target: Name | undefined = record.type === TYPE.CNAME ? recordTarget(record) : undefined;
    if (target === undefined) continue;
    const found = await resolve(query, target, query.question.type);
    chased.push(...(found?.answers ?? []));
  }
  return chased;
}

function isAddressQuery({ question }: Query): boolean {
  return question.class === CLASS.IN && (question.type === TYPE.A || question.type === TYPE.AAAA);
}

/** RFC 8914: two bytes of code, then text. */
function withExtendedError(message: Message, { extendedError }: TemplateRule): Message {
  if (extendedError === undefined) return message;
  const { code, reason } = extendedError;
  const data = Uint8Array.of(code >> 8, code & 0xff, ...new TextEncoder().encode(reason));
  const edns: Edns = {
    version: 0,
    udpSize: UDP_SIZE,
    dnssecOk: true,
    options: [{ code: EDNS_OPTION.EDE, data }],
  };
  return { ...message, edns };
}

/** For the log: a line break in it would forge a line. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, 300);
}
