/** Two servers that want one port of the node, and metrics that the whole network can read. */
import type { Check, Finding } from '../../check.ts';
import { knownOr } from '../../site/known.ts';
import type { SocketFact } from '../../site/node-facts.ts';
import type { NodeSite } from '../../site/site.ts';

export const d22: Check = {
  id: 'D22',
  title: 'Two programs have one port of DNS',
  pains: ['P23'],
  needs: { node: ['sockets'] },
  run: (site) => site.nodes.flatMap((node) => [...clashes(node), ...exposed(node)]),
};

/** node-cache's own and its CoreDNS's. */
const METRICS_PORTS: readonly number[] = [9253, 9353];
const EVERYWHERE: readonly string[] = ['0.0.0.0', '::'];

function clashes({ name, facts }: NodeSite): readonly Finding[] {
  const sockets = knownOr(facts.sockets, []);
  const groups = Map.groupBy(sockets, ({ protocol, port }) => `${protocol} ${port}`);
  return [...groups.values()].flatMap((group) => {
    const involved = group.filter((one) => group.some((other) => isInTheWay(one, other)));
    // What else shares port 8080 of a node is none of ours.
    if (!involved.some(({ port, command = '' }) => port === 53 || OF_DNS.test(command))) return [];
    return involved.length === 0 ? [] : [clash(name, involved)];
  });
}

const OF_DNS = /^(node-cache|coredns|zerohop|unbound|dnsmasq|named|localdns)/;

/** Of one program two processes may share a port on purpose while one takes over from the other. */
function isInTheWay(one: SocketFact, other: SocketFact): boolean {
  if (one.pid === undefined || other.pid === undefined || one.pid === other.pid) return false;
  if (one.command === other.command && one.address === other.address) return false;
  const sameFamily = one.address.includes(':') === other.address.includes(':');
  const everywhere = [one, other].some(({ address }) => EVERYWHERE.includes(address));
  return one.address === other.address || (everywhere && sameFamily);
}

function clash(node: string, sockets: readonly SocketFact[]): Finding {
  const [first] = sockets;
  const where = `${first?.protocol} port ${first?.port}`;
  return {
    id: 'D22',
    severity: 'warning',
    title: d22.title,
    node,
    evidence: sockets.map(describe),
    cause: `which of them gets a packet to ${where} depends on its address and on who was first; the next to start may fail with "address already in use"`,
    fix: {
      kind: 'text',
      text: `Bind each to addresses of its own, or give one of them another port than ${first?.port}`,
    },
  };
}

function exposed({ name, facts }: NodeSite): readonly Finding[] {
  const open = knownOr(facts.sockets, []).filter(
    ({ protocol, port, address }) =>
      protocol === 'TCP' && METRICS_PORTS.includes(port) && EVERYWHERE.includes(address),
  );
  if (open.length === 0) return [];
  return [
    {
      id: 'D22',
      severity: 'info',
      title: 'Metrics of DNS are served on every address of the node',
      node: name,
      evidence: open.map(describe),
      cause:
        'whoever reaches the node reads what its pods ask for, and the port is taken on all of its addresses',
      fix: {
        kind: 'text',
        text: 'Bind them to one address: `prometheus NODE_IP:9253` in the Corefile, -metrics-listen-address NODE_IP:9353',
      },
    },
  ];
}

function describe({ protocol, address, port, command, pid }: SocketFact): string {
  const owner = pid === undefined ? 'an unknown process' : `${command ?? '?'} (pid ${pid})`;
  return `${protocol} ${address.includes(':') ? `[${address}]` : address}:${port} is bound by ${owner}`;
}
