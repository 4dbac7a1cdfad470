/**
 * Runs every check over one site and puts a verdict on each pod that was probed. Nothing is decided twice: what a verdict
 * gives as its cause is one of the findings.
 */
import { errorText } from '../fault/app-error.ts';
import type { Blind, Check, Finding } from './check.ts';
import { CHECKS } from './checks/registry.ts';
import { judgePods } from './judge-pods.ts';
import { withObservedServers } from './picture/observed-server.ts';
import { aboutNodes } from './report/about-nodes.ts';
import type { PlacedFinding, Report } from './report/report.ts';
import { isKnown, type Known } from './site/known.ts';
import type { NodeSite, Site } from './site/site.ts';

/**
 * `checks`: all there are, unless a caller wants some of them only. Of nodes that are not in the site nothing is known here:
 * `notLookedAt` and `notProbed` are filled by whoever tried.
 */
export async function runChecks(taken: Site, checks: readonly Check[] = CHECKS): Promise<Report> {
  const site = withObservedServers(taken);
  const findings: Finding[] = [];
  const blind: Blind[] = [];
  for (const check of checks) {
    const result = await runCheck(check, site);
    findings.push(...result.findings);
    blind.push(...result.blind);
  }
  const sorted = [...findings].sort(bySeverity);
  const pods = judgePods(site, sorted);
  return {
    version: 1,
    origin: site.origin,
    takenAt: new Date(site.takenAtMs).toISOString(),
    exitCode: exitCode(site, { findings, blind, pods }),
    nodes: site.nodes.map(({ name }) => name),
    about: aboutNodes(site),
    notLookedAt: [],
    notProbed: [],
    pods,
    findings: placed(sorted, site),
    blind,
  };
}

interface Outcome {
  readonly findings: readonly Finding[];
  readonly blind: readonly Blind[];
}

async function runCheck(check: Check, site: Site): Promise<Outcome> {
  const { id, needs } = check;
  const missing = unknowns(needs.cluster ?? [], site.cluster);
  if (missing.length > 0) return { findings: [], blind: missing.map((reason) => ({ id, reason })) };
  const blind: Blind[] = [];
  const nodes = site.nodes.filter((node) => {
    const reasons = [...unknowns(needs.node ?? [], node.facts), ...unknowns(needs.agent ?? [], node.agent)];
    const absent = isOnlyAgentLacking(needs, node) ? { withoutAgent: true as const } : {};
    blind.push(...reasons.map((reason) => ({ id, node: node.name, reason, ...absent })));
    return reasons.length === 0;
  });
  try {
    return { findings: await check.run(withNodes(site, nodes)), blind };
  } catch (error) {
    // A bug of one check must not hide what the others found.
    return {
      findings: [],
      blind: [...blind, { id, reason: `the check itself failed: ${errorText(error)}` }],
    };
  }
}

/** What an agent alone records, of a node where there is known to be none. */
const OF_AGENT: readonly string[] = ['policies', 'flows'];

function isOnlyAgentLacking(needs: Check['needs'], { facts, agent }: NodeSite): boolean {
  if (!isKnown(agent.status) || agent.status.value !== undefined) return false;
  const others = (needs.agent ?? []).filter((name) => !OF_AGENT.includes(name));
  return unknowns(needs.node ?? [], facts).length === 0 && unknowns(others, agent).length === 0;
}

/** The same site where all nodes stay: what was understood of it is remembered by it. */
function withNodes(site: Site, nodes: readonly NodeSite[]): Site {
  return nodes.length === site.nodes.length ? site : { ...site, nodes };
}

function unknowns<K extends string>(
  names: readonly K[],
  parts: Readonly<Record<K, Known<unknown>>>,
): readonly string[] {
  return names.flatMap((name) => {
    const part = parts[name];
    return isKnown(part) ? [] : [`${name}: ${part.unknown}`];
  });
}

const ORDER = ['broken', 'bypassed', 'warning', 'info'] as const;

function bySeverity(a: Finding, b: Finding): number {
  const difference = ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity);
  return difference === 0 ? Number(a.id.slice(1)) - Number(b.id.slice(1)) : difference;
}

function placed(findings: readonly Finding[], site: Site): readonly PlacedFinding[] {
  const seen = new Map<string, number>();
  return findings.map((finding) => {
    const name = [finding.id, finding.node, finding.pod, finding.object]
      .filter((part) => part !== undefined)
      .join(' ');
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const place = finding.object === undefined ? undefined : site.places.get(finding.object);
    return {
      ...finding,
      key: count === 1 ? name : `${name} #${count}`,
      ...(place === undefined ? {} : { place }),
    };
  });
}

/** 1: something is wrong. 2: nothing was found to be, but not everything could be looked at. */
function exitCode(
  { origin, nodes }: Site,
  { findings, blind, pods }: Outcome & Pick<Report, 'pods'>,
): Report['exitCode'] {
  if (findings.some(({ severity }) => severity !== 'info')) return 1;
  if (pods.some(({ verdict }) => verdict === 'BYPASSED' || verdict === 'BROKEN')) return 1;
  if (origin === 'live' && nodes.length === 0) return 2;
  const failed = blind.some(({ withoutAgent }) => withoutAgent !== true);
  return failed || pods.some(({ verdict }) => verdict === 'UNKNOWN') ? 2 : 0;
}
