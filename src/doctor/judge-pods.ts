/**
 * A verdict for each pod by what became of its probes: ENTERED when all were given to a cache on its own node, BROKEN when
 * one got no answer, BYPASSED when one was answered by somebody else. Where an answer came from nobody saw, there is no
 * verdict.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import { formatAddressPort } from '../net/port.ts';
import type { Finding } from './check.ts';
import type { PodVerdict, Verdict } from './report/report.ts';
import type { ProbeTrail } from './site/agent-facts.ts';
import { knownOr } from './site/known.ts';
import type { Site } from './site/site.ts';

/** `findings`: what hurts most first. */
export function judgePods(site: Site, findings: readonly Finding[]): readonly PodVerdict[] {
  const probes = site.nodes.flatMap(({ agent }) => knownOr(agent.probes, []));
  const byPod = new Map<ObjectKey, ProbeTrail[]>();
  for (const probe of probes) {
    const own = byPod.get(probe.client);
    if (own === undefined) byPod.set(probe.client, [probe]);
    else own.push(probe);
  }
  return [...byPod].map(([pod, own]) => judgePod(pod, own, findings));
}

function judgePod(pod: ObjectKey, probes: readonly ProbeTrail[], findings: readonly Finding[]): PodVerdict {
  const answered = probes.filter(({ outcome }) => outcome === 'answered');
  const lost = probes.filter(({ outcome }) => outcome !== 'answered');
  const entered = answered.filter(({ server }) => server?.cache === true);
  const elsewhere = answered.filter(({ server }) => server !== undefined && !server.cache);
  const node = probes[0]?.node ?? '';
  const verdict = verdictOf({ probes, lost, entered, elsewhere });
  const because = findings.find((finding) => explains(finding, { verdict, pod, node }));
  const counts = {
    sent: probes.length,
    entered: entered.length,
    elsewhere: elsewhere.length,
    lost: lost.length,
  };
  return {
    ...{ pod, node, verdict, ...counts, evidence: evidenceOf(verdict, lost, elsewhere) },
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

/** The most probes that are told one by one. */
const TOLD = 4;

function evidenceOf(
  verdict: Verdict,
  lost: readonly ProbeTrail[],
  elsewhere: readonly ProbeTrail[],
): readonly string[] {
  if (verdict === 'BROKEN') return [...new Set(lost.map(lostText))].slice(0, TOLD);
  if (verdict === 'BYPASSED') return [...new Set(elsewhere.map(elsewhereText))].slice(0, TOLD);
  return [];
}

function lostText(probe: ProbeTrail): string {
  const target = formatAddressPort(probe.target, probe.targetPort);
  const last = probe.steps.at(-1);
  const seen =
    last === undefined
      ? ''
      : `; last seen at ${last.hook} (${last.verdict}${last.reason ? `: ${last.reason}` : ''})`;
  return `${probe.protocol} to ${target}: ${probe.outcome}${seen}`;
}

function elsewhereText(probe: ProbeTrail): string {
  const { server, protocol, target, targetPort } = probe;
  const by = server === undefined ? 'somebody' : (server.pod ?? server.address);
  const where = server?.node === undefined ? '' : ` on ${server.node}`;
  const step = probe.steps.find(({ verdict }) => verdict !== 'passed');
  const how =
    step === undefined ? '' : `; ${step.verdict} at ${step.hook}${step.reason ? `: ${step.reason}` : ''}`;
  return `${protocol} to ${formatAddressPort(target, targetPort)} was answered by ${by}${where}${how}`;
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
