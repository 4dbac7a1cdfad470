/** Who turns addresses of Services into addresses of pods on this node, by the signs it leaves. Pure. */
import type { InterfaceFact, ProxyFact } from '../node-facts.ts';

export interface ProxySigns {
  readonly interfaces: readonly InterfaceFact[];
  readonly chains: { readonly nft: readonly string[]; readonly legacy: readonly string[] };
  /** What kube-proxy itself said at :10249/proxyMode; absent when nobody answered. */
  readonly told?: string;
}

const IPVS_INTERFACE = 'kube-ipvs0';
/** Kubelet makes chains of its own (KUBE-FIREWALL, KUBE-KUBELET-CANARY): these are kube-proxy's. */
const IPTABLES_CHAIN = /^KUBE-(SERVICES|SVC-|SEP-)/;
/** Of table `kube-proxy`: `service-ULMVA6XW-kube-system/kube-dns/udp/dns`. */
const NFT_CHAIN = /^(cluster-ips-check|service-[A-Z0-9]{8}-.+)$/;
const MODES: readonly ProxyFact['mode'][] = ['iptables', 'nftables', 'ipvs'];

/** What it says itself before what it left: chains of an earlier mode stay until the node starts again. */
export function proxyMode({ interfaces, chains, told }: ProxySigns): ProxyFact {
  const ipvs = interfaces.find(({ name }) => name === IPVS_INTERFACE);
  const ipvsAddresses = ipvs?.addresses ?? [];
  const mode = MODES.find((one) => one === told);
  if (mode !== undefined) return { mode, evidence: `:10249/proxyMode says ${mode}`, ipvsAddresses };
  if (ipvs !== undefined) return { mode: 'ipvs', evidence: `interface ${IPVS_INTERFACE}`, ipvsAddresses };
  const nftables = chains.nft.find((name) => NFT_CHAIN.test(name));
  if (nftables !== undefined) return { mode: 'nftables', evidence: `chain ${nftables}`, ipvsAddresses };
  for (const [flavour, names] of [
    ['nft', chains.nft],
    ['legacy', chains.legacy],
  ] as const) {
    const chain = names.find((name) => IPTABLES_CHAIN.test(name));
    if (chain !== undefined)
      return { mode: 'iptables', evidence: `chain ${chain} of iptables-${flavour}`, ipvsAddresses };
  }
  return { mode: 'none', evidence: `no chain KUBE-SERVICES, no interface ${IPVS_INTERFACE}`, ipvsAddresses };
}
