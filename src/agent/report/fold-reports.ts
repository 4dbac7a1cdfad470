/**
 * What all nodes say of one policy, as the two conditions of its status. Pure, and the same for every order of reports,
 * so that two leaders one after the other write the same words.
 */
import type { PolicyReport } from './node-report.ts';

/** A condition (meta/v1) without what only the object itself knows. */
export interface Verdict {
  readonly type: 'Accepted' | 'Realised';
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/** Of these a message names at most so many; the others are counted. */
const NAMED_NODES = 3;

interface NodeView {
  readonly node: string;
  /** Absent: the node has not told of this policy yet. */
  readonly report: PolicyReport | undefined;
}

/** What one node says, by the policies' uids. */
export interface NodeVoice {
  readonly node: string;
  readonly byUid: ReadonlyMap<string, PolicyReport>;
}

export interface FoldInput {
  readonly uid: string;
  /** Of the nodes that are alive; each node once. */
  readonly nodes: readonly NodeVoice[];
}

/** Accepted, then Realised. */
export function foldReports({ uid, nodes }: FoldInput): readonly [Verdict, Verdict] {
  const views = nodes
    .map(({ node, byUid }): NodeView => ({ node, report: byUid.get(uid) }))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  return [accepted(views), realised(views)];
}

function accepted(views: readonly NodeView[]): Verdict {
  const type = 'Accepted';
  const told = views.flatMap(({ report }) => report ?? []);
  if (told.length === 0) {
    return { type, status: 'Unknown', reason: 'NoReports', message: 'no node has told of this policy yet' };
  }
  const refusing = views.filter(({ report }) => isRefused(report));
  const [first] = refusing;
  if (first?.report === undefined) {
    return {
      type,
      status: 'True',
      reason: 'Valid',
      message: 'the policy is valid and nothing older has its place',
    };
  }
  const reason = first.report.state === 'conflict' ? 'Conflict' : reasonOf(first.report.code);
  const why = first.report.reason;
  if (refusing.length === told.length) return { type, status: 'False', reason, message: why };
  const message = `refused on ${refusing.length} of ${views.length} nodes, for example ${first.node}: ${why}`;
  return { type, status: 'False', reason, message };
}

function realised(views: readonly NodeView[]): Verdict {
  const type = 'Realised';
  const done = views.filter(({ report }) => isRealised(report)).length;
  const lagging = views.filter(({ report }) => !isRealised(report));
  const count = `realised on ${done} of ${views.length} nodes`;
  if (views.length === 0) return { type, status: 'Unknown', reason: 'NoReports', message: count };
  if (lagging.length === 0) return { type, status: 'True', reason: 'EverywhereRealised', message: count };
  const named = lagging.slice(0, NAMED_NODES).map(({ node, report }) => `${node}: ${lagOf(report)}`);
  const more = lagging.length > NAMED_NODES ? [`and ${lagging.length - NAMED_NODES} more`] : [];
  const message = [count, ...named, ...more].join('; ');
  if (done === 0 && lagging.every(({ report }) => isRefused(report)))
    return { type, status: 'False', reason: 'NotAccepted', message };
  // What is still on its way is neither: an alarm on False must not ring at every start.
  if (lagging.some(({ report }) => isOnItsWay(report)))
    return { type, status: 'Unknown', reason: 'Progressing', message };
  return { type, status: 'False', reason: whyNot(lagging, done), message };
}

function whyNot(lagging: readonly NodeView[], done: number): string {
  if (lagging.some(({ report }) => report?.realised === 'error')) return 'KernelRefused';
  return done > 0 ? 'PartlyRealised' : 'NoBackend';
}

function isRefused(report: PolicyReport | undefined): boolean {
  return report?.state === 'malformed' || report?.state === 'conflict';
}

function isRealised(report: PolicyReport | undefined): boolean {
  return report?.state === 'active' && report.realised === 'done';
}

function isOnItsWay(report: PolicyReport | undefined): boolean {
  return report === undefined || (report.state === 'active' && report.realised === 'pending');
}

function lagOf(report: PolicyReport | undefined): string {
  if (report === undefined) return 'has not told of it yet';
  if (report.reason !== '') return report.reason;
  return report.realised === 'pending' ? 'is being written to the kernel' : 'no reason given';
}

/** `POLICY_BAD_PORT` as `BadPort`: what stands in a condition follows the pattern of meta/v1. */
function reasonOf(code = 'POLICY_MALFORMED'): string {
  return code
    .replace(/^POLICY_/, '')
    .toLowerCase()
    .replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
