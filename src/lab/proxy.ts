/**
 * Stand-in for kube-proxy: an nftables ruleset per node that sends a service's address to any ready endpoint of the
 * cluster. It knows nothing of policies, which is the point: a frontend that nobody redirects goes anywhere.
 */
import type { EndpointSliceRow, ServiceRow } from '../cluster/rows.ts';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import { ipFamily } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import { runCommand } from './command.ts';
import { namespacePath } from './topology.ts';

interface Target {
  /** `10.96.0.10 udp 53` */
  readonly frontend: { readonly address: string; readonly protocol: string; readonly port: number };
  readonly endpoints: readonly string[];
}

/** The whole ruleset as `nft -f` text: replaces what was there in one transaction. */
export function proxyRules(snapshot: ClusterSnapshot): string {
  const slices = [...snapshot.endpointSlices.values()];
  const targets = [...snapshot.services.values()].flatMap((service) => serviceTargets(service, slices));
  const lines = (rules: readonly string[]) => rules.map((rule) => `    ${rule}`).join('\n');
  return `table ip zerohop-proxy
delete table ip zerohop-proxy
table ip zerohop-proxy {
  chain services {
${lines(targets.filter(hasEndpoints).map(translateRule))}
  }
  chain unserved {
${lines(targets.filter((target) => !hasEndpoints(target)).map(rejectRule))}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    jump services
  }
  chain output {
    type nat hook output priority -100;
    jump services
  }
  chain forward {
    type filter hook forward priority filter;
    jump unserved
  }
  chain local {
    type filter hook output priority filter;
    jump unserved
  }
}
`;
}

function serviceTargets(service: ServiceRow, slices: readonly EndpointSliceRow[]): Target[] {
  const own = slices.filter(
    (slice) => slice.namespace === service.namespace && slice.serviceName === service.name,
  );
  return service.clusterIPs
    .filter((address) => ipFamily(address) === 4)
    .flatMap((address) =>
      service.ports.map(({ name, port, protocol }) => ({
        frontend: { address, port, protocol: protocol.toLowerCase() },
        endpoints: own.flatMap((slice) => readyEndpoints(slice, name, protocol)).sort(),
      })),
    );
}

function readyEndpoints(slice: EndpointSliceRow, name: string | undefined, protocol: string): string[] {
  const ports = slice.ports.filter((port) => port.name === name && port.protocol === protocol);
  const addresses = slice.endpoints
    .filter((endpoint) => endpoint.ready)
    .flatMap((endpoint) => endpoint.addresses);
  return addresses.flatMap((address) => ports.map(({ port }) => formatAddressPort(address, port)));
}

function hasEndpoints(target: Target): boolean {
  return target.endpoints.length > 0;
}

function match({ frontend }: Target): string {
  return `ip daddr ${frontend.address} ${frontend.protocol} dport ${frontend.port}`;
}

function translateRule(target: Target): string {
  const map = target.endpoints.map((endpoint, i) => `${i} : ${endpoint.replace(':', ' . ')}`).join(', ');
  return `${match(target)} dnat ip to numgen random mod ${target.endpoints.length} map { ${map} }`;
}

/** As kube-proxy does: a client of a service without endpoints is told at once. */
function rejectRule(target: Target): string {
  return `${match(target)} reject`;
}

export async function applyProxyRules(rules: string, namespace: string): Promise<void> {
  await runCommand('nsenter', [`--net=${namespacePath(namespace)}`, 'nft', '-f', '-'], rules);
}
