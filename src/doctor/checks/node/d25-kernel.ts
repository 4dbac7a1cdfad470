/** What the node's kernel cannot, and who else hangs where a redirect has to: what decides which way of redirecting works. */
import type { Check, Finding } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { isKnown, knownOr } from '../../site/known.ts';
import type { KernelFact } from '../../site/node-facts.ts';
import type { NodeSite, Site } from '../../site/site.ts';

export const d25: Check = {
  id: 'D25',
  title: 'The kernel lacks what a redirect needs',
  pains: ['P1', 'P3'],
  needs: { node: ['kernel'] },
  run: (site) =>
    site.nodes.flatMap((node) =>
      [...lacking(node), ...unordered(node), ...netkits(node)].map((one) =>
        isOurs(site, node) ? one : remark(one),
      ),
    ),
};

/** A node whose redirects are somebody else's, or that has none, lacks nothing. */
function isOurs(site: Site, { agent: { status } }: NodeSite): boolean {
  return !isKnown(status) || status.value !== undefined || dnsPicture(site).zerohop;
}

function remark(finding: Finding): Finding {
  const why = 'no zerohop agent runs here: it is told for when one will';
  return { ...finding, severity: 'info', evidence: [...finding.evidence, why] };
}

/** bpf_redirect_peer, which packets are delivered to pods with. */
const LEAST = { major: 5, minor: 10 } as const;

function lacking({ name, facts: { kernel } }: NodeSite): readonly Finding[] {
  if (!isKnown(kernel)) return [];
  const { release, features } = kernel.value;
  const found: Finding[] = [];
  if (isOlder(release))
    found.push(
      finding(name, 'warning', kernel.value, {
        evidence: 'packets can be redirected to a pod since Linux 5.10',
        cause: 'the agent can watch on this node and not redirect: queries go to the cluster DNS',
        fix: 'Run a node image with Linux 5.10 or later; 6.6 orders programs of several owners cleanly',
      }),
    );
  if (!features.cgroup2)
    found.push(
      finding(name, 'warning', kernel.value, {
        evidence: 'no cgroup v2 is mounted',
        cause:
          "queries of the node's own processes and of host-network pods cannot be redirected at their sockets",
        fix: 'Mount it beside v1 (mount -t cgroup2 none /sys/fs/cgroup/unified); no controller is needed',
      }),
    );
  if (!features.bpfLink)
    found.push(
      finding(name, 'info', kernel.value, {
        evidence: 'the kernel knows no BPF links',
        cause: 'what hangs on a cgroup goes with the process that hung it there',
        fix: 'Run a node image with Linux 5.7 or later',
      }),
    );
  return found;
}

/** Behind a filter of somebody else we see only what it lets through; ahead of it, it does not see what we redirect. */
function unordered({ name, facts: { kernel, hooks } }: NodeSite): readonly Finding[] {
  if (!isKnown(kernel)) return [];
  const skipped = knownOr(hooks, []).flatMap(({ place, owners }) => {
    const own = owners.findIndex((owner) => owner.name === 'zerohop');
    const behind = own < 0 ? [] : owners.slice(own + 1);
    return behind.map(({ name: owner, kind }) => `${place}: ${owner} (${kind}) runs after zerohop`);
  });
  if (skipped.length === 0) return [];
  return [
    {
      id: 'D25',
      severity: 'info',
      title: 'Another program on the interface of pods runs after ours',
      node: name,
      evidence: skipped.slice(0, 5),
      cause:
        'a packet that is redirected is one it never sees; pods are left alone there unless they are permitted by name',
      fix: {
        kind: 'text',
        text: 'Start the agent with --hook-order last, or annotate pods that may be redirected: zerohop.io/redirect=permit',
      },
    },
  ];
}

function netkits({ name, facts: { interfaces } }: NodeSite): readonly Finding[] {
  const found = knownOr(interfaces, []).filter(({ kind }) => kind === 'netkit');
  if (found.length === 0) return [];
  return [
    {
      id: 'D25',
      severity: 'warning',
      title: 'Pods are connected by netkit',
      node: name,
      evidence: found.slice(0, 5).map(({ name: ifname }) => `interface ${ifname} is of kind netkit`),
      cause:
        'its own program can send packets on before any program at the host end of the interface sees them',
      fix: {
        kind: 'text',
        text: "Let Cilium connect pods by veth (bpf.datapathMode: veth), or use Cilium's own local redirect",
      },
    },
  ];
}

interface Words {
  readonly evidence: string;
  readonly cause: string;
  readonly fix: string;
}

function finding(
  node: string,
  severity: Finding['severity'],
  { release }: KernelFact,
  words: Words,
): Finding {
  const evidence = [`Linux ${release}`, words.evidence];
  return {
    id: 'D25',
    severity,
    title: d25.title,
    node,
    evidence,
    cause: words.cause,
    fix: { kind: 'text', text: words.fix },
  };
}

function isOlder(release: string): boolean {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  return major < LEAST.major || (major === LEAST.major && minor < LEAST.minor);
}
