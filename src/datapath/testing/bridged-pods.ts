/** Test support: pods on a bridge of the node, as the bridge plugin of CNI and Flannel make them, beside routed ones. */
import type { TestNetwork, TestPod } from './test-network.ts';

export const BRIDGE = 'cni0';
const GATEWAY = '172.21.0.1';
const GATEWAY6 = 'fd00:21::1';

/** 172.21.0.0/24 and fd00:21::/64. */
export function addBridge(network: TestNetwork): void {
  network.inNode('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
  network.inNode('ip', 'addr', 'add', `${GATEWAY}/24`, 'dev', BRIDGE);
  network.inNode('ip', 'addr', 'add', `${GATEWAY6}/64`, 'dev', BRIDGE, 'nodad');
  network.inNode('ip', 'link', 'set', BRIDGE, 'up');
}

/** The address comes with its prefix length: 172.21.0.9/24; so do further ones. */
export function addBridgedPod(network: TestNetwork, name: string, ...addresses: readonly string[]): TestPod {
  const pod = network.addPod(name, '192.0.2.77');
  const inPod = (...command: readonly string[]) => network.run(pod.netns, 'ip', ...command);
  inPod('addr', 'flush', 'dev', 'eth0', 'scope', 'global');
  network.inNode('ip', 'addr', 'flush', 'dev', pod.ifname);
  network.inNode('ip', 'route', 'flush', 'dev', pod.ifname);
  network.inNode('ip', 'link', 'set', pod.ifname, 'master', BRIDGE);
  for (const address of addresses) {
    const isIpv6 = address.includes(':');
    inPod('addr', 'add', address, 'dev', 'eth0', ...(isIpv6 ? ['nodad'] : []));
    inPod('route', 'replace', 'default', 'via', isIpv6 ? GATEWAY6 : GATEWAY, 'dev', 'eth0');
  }
  return { ...pod, address: addresses[0]?.replace(/\/.*/, '') ?? '' };
}
