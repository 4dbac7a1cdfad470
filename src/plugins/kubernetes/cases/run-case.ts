/** Runs one case file's queries against the real directive parser, index and plugin. For tests. */
import { RCODE } from '../../../dns/codes.ts';
import { decodeMessage } from '../../../dns/decode-message.ts';
import { encodeMessage } from '../../../dns/encode-message.ts';
import type { Message } from '../../../dns/message.ts';
import { isSubdomain, type Name } from '../../../dns/name.ts';
import { replyTo } from '../../../dns/reply.ts';
import type { Handler, Reply } from '../../../server/handler.ts';
import { createStore } from '../../../store/store.ts';
import { directivesOf, fakeBlock, fakeHost, name } from '../../fake-host.ts';
import { ask, ip, record } from '../../fake-query.ts';
import { parseKubernetes } from '../parse-directive.ts';
import { createKubernetesPlugin } from '../plugin.ts';
import { createClusterViews } from '../view/cluster-views.ts';
import type { CaseFile, QueryCase } from './case-file.ts';
import { clusterSnapshot } from './cluster-fixture.ts';
import { recordText } from './record-text.ts';

/** The parts of a reply that a case can speak about, as text; `NEXT` when the next plugin was asked. */
export interface Observed {
  readonly result: string;
  readonly answers: readonly string[];
  readonly additionals: readonly string[];
  readonly authorities: readonly string[];
  readonly message?: Message;
}

const NEXT: Reply = { rcode: -1 };

export function caseHandler(file: CaseFile): Handler {
  const host = fakeHost();
  const context = { directives: directivesOf(file.corefile), block: fakeBlock, host };
  const { options, need } = parseKubernetes(context);
  const { view, imports, follow } = createClusterViews({
    multicluster: options.multiclusterZones.length > 0,
    kinds: need.kinds,
    clock: host.clock,
  });
  follow(createStore(clusterSnapshot(file.cluster ?? {}, file.synced)));
  const local = (file.local ?? []).map(ip);
  const plugin = createKubernetesPlugin({
    options,
    view,
    ...(imports && { imports }),
    localAddresses: () => local,
    resolve: async (query, target, type) => outsideAnswer(file, query.message, { target, type }),
  });
  return plugin(() => NEXT);
}

export async function runQuery(handler: Handler, { q }: QueryCase): Promise<Observed> {
  const [qname = '', qtype = ''] = q.split(' ');
  const reply = await handler(ask(qname, qtype));
  if (reply === NEXT) return { result: 'NEXT', answers: [], additionals: [], authorities: [] };
  const message = reply.message === undefined ? undefined : overTheWire(reply.message);
  return {
    result: resultWord(reply, message),
    answers: (message?.answers ?? []).map(recordText).sort(),
    additionals: (message?.additionals ?? []).map(recordText).sort(),
    authorities: (message?.authorities ?? []).map(recordText),
    ...(message && { message }),
  };
}

function resultWord({ rcode }: Reply, message: Message | undefined): string {
  if (message !== undefined && message.rcode !== rcode) return `rcode ${rcode} but message ${message.rcode}`;
  if (rcode === RCODE.NOERROR) return message?.answers.length === 0 ? 'NODATA' : 'ANSWER';
  return Object.entries(RCODE).find(([, code]) => code === rcode)?.[0] ?? String(rcode);
}

/** What a client would read; also proves that every record made can be sent. */
function overTheWire(message: Message): Message {
  const decoded = decodeMessage(encodeMessage(message));
  if (!decoded.ok) throw new Error(`unreadable reply: ${decoded.code}`);
  return decoded.value;
}

function outsideAnswer(
  { outside = {} }: CaseFile,
  query: Message,
  { target, type }: { target: Name; type: number },
): Message | undefined {
  const found = Object.entries(outside).find(([key]) => {
    const [qname = '', qtype = ''] = key.split(' ');
    const question = ask(qname, qtype).question;
    return question.name === target && question.type === type;
  });
  if (found === undefined || found[1] === 'nothing') return undefined;
  return replyTo(query, { answers: found[1].map(record) });
}

/** The longest zone of the query in the case's directive, spelt as in the query. */
export function spelledZone(file: CaseFile, { q }: QueryCase): string {
  const qname = name(q.split(' ')[0] ?? '');
  const host = fakeHost();
  const { options } = parseKubernetes({ directives: directivesOf(file.corefile), block: fakeBlock, host });
  const lengths = options.zones.filter((zone) => isSubdomain(zone, qname)).map((zone) => zone.length);
  return qname.slice(qname.length - Math.max(0, ...lengths));
}
