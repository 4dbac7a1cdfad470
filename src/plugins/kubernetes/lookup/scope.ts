/** What every lookup of one query shares: the cluster, the directive, and the zone as the client wrote it. */
import type { ResourceRecord } from '../../../dns/message.ts';
import type { Name } from '../../../dns/name.ts';
import type { Ip } from '../../../net/ip.ts';
import type { KubernetesOptions } from '../options.ts';
import type { ClusterView } from '../view/service-index.ts';

export interface Scope {
  readonly view: ClusterView;
  readonly options: KubernetesOptions;
  /** The tail of the qname in the client's own case: names made for the answer end in it. */
  readonly zone: Name;
  /** The SOA record of `zone` or of another spelling of it. */
  readonly soa: (zone: Name) => ResourceRecord;
  /** Addresses of this machine without loopback; what NS and `ns.dns` answer from. */
  readonly localAddresses: readonly Ip[];
  /** No message can carry more than this, and records beyond are not made; one that is full says so by itself. */
  readonly answerBytes: number;
}

/** RFC 1035 section 4.2.2: the length of a message has two bytes. */
export const MESSAGE_BYTES = 65_535;

/** Whether the namespace may be seen and is there (dns-server 3.4: "exists and is exposed"). */
export function namespaceShown(scope: Scope, namespace: string): boolean {
  return namespaceChosen(scope, namespace) && scope.view.namespaceExists(namespace);
}

function namespaceChosen({ options }: Scope, namespace: string): boolean {
  return options.namespaces === undefined || options.namespaces.has(namespace);
}
