/**
 * A verdict for each pod by what became of its probes: ENTERED when all were given to a cache on its own node, BROKEN when
 * one got no answer, or only the server's word that it failed, BYPASSED when one was answered by somebody else. Where an
 * answer came from nobody saw, there is no verdict.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import { latencyText } from '../flow/print/latency-text.ts';
import { formatAddressPort } from '../net/port.ts';
import type { Finding } from './check.ts';
import type { PodVerdict, Verdict } from './report/report.ts';
import type { ProbeStep, ProbeTrail } from './site/agent-facts.ts';
import { isKnown, knownOr } from './site/known.ts';
import { isServed } from './site/probe-answer.ts';
import type { NodeSite, Site } from './site/site.ts';

/** `findings`: what hurts most first. */
export function judgePods(site: Site, findings: readonly Finding[]): readonly PodVerdict[] {
  return site.nodes.flatMap((node) => {
    const byPod = Map.groupBy(knownOr(node.agent.probes, []), ({ client }) => client);
    return [...byPod].map(([pod, own]) => judgePod(node, { pod, probes: own, findings }));
  });
}

interface Judging {
  readonly pod: ObjectKey;
  readonly probes: readonly ProbeTrail[];
  readonly findings: readonly Finding[];
}

function judgePod(site: NodeSite, { pod, probes, findings }: Judging): PodVerdict {
  const answered = probes.filter(isServed);
  const lost = probes.filter((probe) => !isServed(probe));
  const entered = answered.filter(({ server }) => server?.cache === true);
  const elsewhere = answered.filter(({ server }) => server !== undefined && !server.cache);
  const node = site.name;
  const sorted = { probes, lost, entered, elsewhere };
  const verdict = verdictOf(sorted);
  const because = causeAmong(findings.filter((finding) => explains(finding, { verdict, pod, node })));
  const counts = {
    sent: probes.length,
    entered: entered.length,
    elsewhere: elsewhere.length,
    lost: lost.length,
  };
  return {
    ...{ pod, node, verdict, ...counts, evidence: evidenceOf(verdict, sorted, site) },
    cause: because?.cause ?? UNEXPLAINED[verdict],
    ...(because === undefined ? {} : { fix: because.fix, because: because.id }),
  };
}

const UNEXPLAINED: Readonly<Record<Verdict, string>> = {
  ENTERED: 'every probe was given to the cache of its own node',
  BYPASSED: 'something sends these queries elsewhere, and no check knows what',
  BROKEN: 'something takes these queries or their answers, and no check knows what',
  UNKNOWN: 'the probes were answered, and nobody saw by whom',
};

type Sorted = Readonly<Record<'probes' | 'lost' | 'entered' | 'elsewhere', readonly ProbeTrail[]>>;

function verdictOf({ probes, lost, entered, elsewhere }: Sorted): Verdict {
  if (lost.length > 0) return 'BROKEN';
  if (elsewhere.length > 0) return 'BYPASSED';
  return entered.length === probes.length ? 'ENTERED' : 'UNKNOWN';
}

function evidenceOf(
  verdict: Verdict,
  { probes, lost, entered, elsewhere }: Sorted,
  site: NodeSite,
): readonly string[] {
  switch (verdict) {
    case 'ENTERED':
      return told(entered, enteredText);
    case 'BROKEN':
      return told(lost, lostText);
    case 'BYPASSED':
      return told(elsewhere, elsewhereText);
    case 'UNKNOWN':
      return [...told(probes, unseenText), ...whyUnseen(site)];
  }
}

/** The most lines of evidence. */
const TOLD = 4;

/** Probes with the same fate are one line, with how many by which protocol. */
function told(probes: readonly ProbeTrail[], say: (probe: ProbeTrail) => string): readonly string[] {
  const groups = [...Map.groupBy(probes, say)];
  const lines = groups.slice(0, TOLD).map(([text, own]) => `${countText(own)} ${text}${speedText(own)}`);
  return groups.length > TOLD ? [...lines, `and ${groups.length - TOLD} more`] : lines;
}

/** `3 UDP and 1 TCP`. */
function countText(probes: readonly ProbeTrail[]): string {
  const counts = [...Map.groupBy(probes, ({ protocol }) => protocol)];
  return counts.map(([protocol, own]) => `${own.length} ${protocol}`).join(' and ');
}

function speedText(probes: readonly ProbeTrail[]): string {
  const times = probes.flatMap(({ latencyMs }) => latencyMs ?? []);
  if (times.length === 0) return '';
  const [least, most] = [Math.min(...times), Math.max(...times)].map((ms) => latencyText(ms * 1e6));
  return least === most ? ` in ${least}` : ` in ${least} to ${most}`;
}

function enteredText(probe: ProbeTrail): string {
  if (probe.server?.kernel === true) return `to ${targetText(probe)} answered by the kernel on its own node`;
  return `to ${targetText(probe)} entered ${serverText(probe)}${howText(probe)}; answered`;
}

function elsewhereText(probe: ProbeTrail): string {
  return `to ${targetText(probe)} entered no cache${howText(probe)}; answered by ${serverText(probe)}`;
}

function unseenText(probe: ProbeTrail): string {
  return `to ${targetText(probe)} answered${probe.server === undefined ? '' : ` by ${serverText(probe)}`}`;
}

function lostText(probe: ProbeTrail): string {
  if (probe.outcome === 'answered') return `to ${targetText(probe)}: ${probe.rcode} by ${serverText(probe)}`;
  const last = probe.steps.at(-1);
  const seen = last === undefined ? '' : `; last seen: ${stepText(last)}`;
  return `to ${targetText(probe)}: ${OUTCOMES[probe.outcome]}${seen}`;
}

const OUTCOMES: Readonly<Record<Exclude<ProbeTrail['outcome'], 'answered'>, string>> = {
  refused: 'connection refused',
  timeout: 'no answer',
  unreachable: 'could not leave the pod',
};

function targetText({ target, targetPort }: ProbeTrail): string {
  return formatAddressPort(target, targetPort);
}

function serverText({ server, node }: ProbeTrail): string {
  if (server === undefined) return 'somebody';
  if (server.kernel === true) return 'the kernel';
  const where = server.node === undefined || server.node === node ? '' : ` on ${server.node}`;
  return `${server.pod ?? formatAddressPort(server.address, server.port)}${where}`;
}

/** What was done to its packets on their way, not where they passed. */
function howText({ steps }: ProbeTrail): string {
  const done = steps.filter(({ verdict }) => !['passed', 'arrived'].includes(verdict));
  return done.map((step) => `; ${stepText(step)}`).join('');
}

function stepText({ hook, verdict, reason, destination }: ProbeStep): string {
  return `${verdict} at ${hook}: ${reason ?? destination}`;
}

/** What would have shown it, and is not there. */
function whyUnseen({ name, facts, agent }: NodeSite): readonly string[] {
  const status = isKnown(agent.status)
    ? agent.status.value === undefined
      ? `no zerohop agent on ${name} that would have seen the packets`
      : `the agent of ${name} did not tell of them`
    : `the agent of ${name} could not be asked: ${agent.status.unknown}`;
  const tracked = isKnown(facts.conntrack)
    ? 'connection tracking has no entry of them that tells'
    : `connection tracking: ${facts.conntrack.unknown}`;
  return [status, tracked];
}

/** These say in other words that probes went astray: last, and in this order. */
const SYMPTOMS: readonly string[] = ['D02', 'D01'];
/** What other queries suffer: it says nothing of a probe. */
const OF_TRAFFIC: readonly string[] = ['D12', 'D13', 'D14', 'D15', 'D16', 'D23'];

function causeAmong(findings: readonly Finding[]): Finding | undefined {
  const of = findings.filter(({ id }) => !OF_TRAFFIC.includes(id));
  const cause = of.find(({ id }) => !SYMPTOMS.includes(id));
  if (cause !== undefined) return cause;
  return SYMPTOMS.flatMap((symptom) => of.find(({ id }) => id === symptom) ?? [])[0];
}

interface Judged {
  readonly verdict: Verdict;
  readonly pod: ObjectKey;
  readonly node: string;
}

/** A finding of the same kind that is about this pod, its node, or the whole cluster. */
function explains(finding: Finding, { verdict, pod, node }: Judged): boolean {
  const wanted = { BROKEN: 'broken', BYPASSED: 'bypassed', ENTERED: '', UNKNOWN: '' }[verdict];
  if (finding.severity !== wanted) return false;
  if (finding.pod !== undefined) return finding.pod === pod;
  return finding.node === undefined || finding.node === node;
}
