/**
 * The lab's wires. Each node is a network namespace; a router namespace joins them and holds the resolver that stands
 * for the internet. A pod is a namespace with `eth0`, a /32 address and a default route by way of its host-side
 * interface `lxc…`, as routed CNIs lay it. Nothing is added to the machine's own namespace.
 */
import { createHash } from 'node:crypto';
import { runCommand, tryCommand } from './command.ts';
import {
  INTERNET,
  LAB_PREFIX,
  type LabNode,
  NODES,
  namespacePath,
  nodeNamespace,
  podNamespace,
} from './topology.ts';

const INTERNET_NAMESPACE = `${LAB_PREFIX}${INTERNET.name}`;
/** What a pod sends its packets to; answered by a permanent neighbour entry, never by ARP. */
const POD_GATEWAY = '169.254.1.1';

/** Namespaces and sysctls first, then links: the lines of one `ip -batch` run. */
export function nodeCommands(nodes: readonly LabNode[] = NODES): string[] {
  const router = INTERNET_NAMESPACE;
  const lines = [`link add br0 netns ${router} type bridge`];
  for (const node of nodes) {
    const namespace = nodeNamespace(node);
    lines.push(
      `link add eth0 netns ${namespace} type veth peer name ${node.name} netns ${router}`,
      `-n ${router} link set ${node.name} master br0 up`,
      `-n ${namespace} addr add ${node.address}/24 dev eth0`,
      `-n ${namespace} link set lo up`,
      `-n ${namespace} link set eth0 up`,
      `-n ${namespace} route add default via ${INTERNET.address}`,
    );
    for (const other of nodes.filter((candidate) => candidate !== node)) {
      lines.push(`-n ${namespace} route add ${other.podPrefix}.0/24 via ${other.address}`);
    }
  }
  lines.push(
    `-n ${router} addr add ${INTERNET.address}/24 dev br0`,
    `-n ${router} addr add ${INTERNET.resolver}/32 dev lo`,
    `-n ${router} link set lo up`,
    `-n ${router} link set br0 up`,
    ...nodes.map((node) => `-n ${router} route add ${node.podPrefix}.0/24 via ${node.address}`),
  );
  return lines;
}

export async function buildNodes(): Promise<void> {
  const namespaces = [INTERNET_NAMESPACE, ...NODES.map(nodeNamespace)];
  await ipBatch(namespaces.map((name) => `netns add ${name}`));
  await Promise.all(namespaces.map(enableForwarding));
  await ipEach(nodeCommands());
}

/** rp_filter must let pass what comes back by a way the kernel would not have chosen; the pods' replies do. */
async function enableForwarding(namespace: string): Promise<void> {
  const settings = ['ip_forward=1', 'conf.all.rp_filter=0', 'conf.default.rp_filter=0'];
  const write = settings.map((setting) => {
    const [key = '', value] = setting.split('=');
    return `echo ${value} > /proc/sys/net/ipv4/${key.replaceAll('.', '/')}`;
  });
  await runCommand('nsenter', [`--net=${namespacePath(namespace)}`, 'sh', '-ec', write.join('; ')]);
}

/** The name of a pod's host-side interface: at most 15 characters, the same for the same pod. */
export function podInterface(pod: string): string {
  return `lxc${createHash('sha256').update(pod).digest('hex').slice(0, 10)}`;
}

export async function buildPod(pod: string, node: LabNode, address: string): Promise<void> {
  const [outer, inner, host] = [nodeNamespace(node), podNamespace(pod), podInterface(pod)];
  await ipEach([
    `netns add ${inner}`,
    `link add ${host} netns ${outer} type veth peer name eth0 netns ${inner}`,
    `-n ${inner} link set lo up`,
    `-n ${inner} addr add ${address}/32 dev eth0`,
    `-n ${inner} link set eth0 up`,
    `-n ${outer} link set ${host} up`,
    `-n ${inner} route add ${POD_GATEWAY} dev eth0 scope link`,
    `-n ${inner} route add default via ${POD_GATEWAY}`,
    `-n ${outer} route add ${address}/32 dev ${host} scope link`,
  ]);
  const [hostMac, podMac] = await Promise.all([macOf(outer, host), macOf(inner, 'eth0')]);
  await ipEach([
    `-n ${inner} neigh replace ${POD_GATEWAY} lladdr ${hostMac} dev eth0 nud permanent`,
    `-n ${outer} neigh replace ${address} lladdr ${podMac} dev ${host} nud permanent`,
  ]);
}

/**
 * The veth pair goes first, with its routes: a namespace goes when the kernel finds the time, and until then a pod of the
 * same name could not be made again.
 */
export async function removePod(pod: string, node: LabNode): Promise<void> {
  await tryCommand('ip', ['-n', nodeNamespace(node), 'link', 'del', podInterface(pod)]);
  await tryCommand('ip', ['netns', 'del', podNamespace(pod)]);
}

/** Every namespace whose name carries the lab's prefix, also those of a lab that crashed. */
export async function labNamespaces(): Promise<string[]> {
  const list = (await tryCommand('ip', ['netns', 'list'])) ?? '';
  const names = list.split('\n').map((line) => line.split(' ')[0] ?? '');
  return names.filter((name) => name.startsWith(LAB_PREFIX));
}

async function macOf(namespace: string, device: string): Promise<string> {
  const text = await runCommand('ip', ['-n', namespace, '-o', 'link', 'show', device]);
  return /link\/ether (\S+)/.exec(text)?.[1] ?? '';
}

async function ipBatch(lines: readonly string[]): Promise<void> {
  await runCommand('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
}

/** `ip -batch` refuses `-n` inside a line, so lines of one namespace after another go out as one batch each. */
async function ipEach(lines: readonly string[]): Promise<void> {
  let current: { namespace: string; lines: string[] } | undefined;
  const flush = async () => {
    if (current === undefined) return;
    const flags = current.namespace === '' ? [] : ['-n', current.namespace];
    await runCommand('ip', [...flags, '-batch', '-'], `${current.lines.join('\n')}\n`);
  };
  for (const line of lines) {
    const [, namespace = '', rest = line] = /^-n (\S+) (.*)$/.exec(line) ?? [];
    if (current?.namespace !== namespace) {
      await flush();
      current = { namespace, lines: [] };
    }
    current.lines.push(rest);
  }
  await flush();
}
