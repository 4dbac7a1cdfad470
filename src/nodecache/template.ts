/**
 * The template words of a node cache's base Corefile (dns-server 4.4). Plain text replacement in a fixed order, nothing
 * is parsed; a file whose words were replaced beforehand comes out as it went in. Pure.
 */
export interface TemplateValues {
  /** Listen addresses. */
  readonly localIps: readonly string[];
  /** Cluster address of the upstream service; absent renders as `<nil>`, which the server will then refuse. */
  readonly clusterDns?: string;
  /** From the kube-dns ConfigMap; empty means the node's own resolvers. */
  readonly upstreamServers: readonly string[];
  /** Domain to its servers. */
  readonly stubDomains: ReadonlyMap<string, readonly string[]>;
  /** Port of the blocks made for stub domains. */
  readonly port: number;
}

const UPSTREAM_WORD = '__PILLAR__UPSTREAM__SERVERS__';
/** Manifests have exactly this text; given upstreams are asked over UDP instead. */
const TCP_UPSTREAM_BLOCK = `    forward . ${UPSTREAM_WORD} {\n            force_tcp\n    }`;

export function renderTemplate(
  template: string,
  values: TemplateValues,
): { readonly text: string; readonly warnings: readonly string[] } {
  const { localIps, clusterDns, stubDomains, port } = values;
  const { text, warnings } = replaceUpstreams(template, values.upstreamServers);
  const replaced = text
    .replaceAll('__PILLAR__CLUSTER__DNS__', clusterDns ?? '<nil>')
    .replaceAll('__PILLAR__LOCAL__DNS__', localIps.join(' '))
    .replaceAll('__PILLAR__DNS__SERVER__', '');
  const blocks = [...stubDomains]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([domain, servers]) => stubBlock(domain, servers, { localIps, port }));
  return { text: replaced + blocks.join(''), warnings };
}

function replaceUpstreams(
  template: string,
  servers: readonly string[],
): { text: string; warnings: string[] } {
  if (servers.length === 0) {
    return { text: template.replaceAll(UPSTREAM_WORD, '/etc/resolv.conf'), warnings: [] };
  }
  const list = servers.join(' ');
  const text = template.replaceAll(TCP_UPSTREAM_BLOCK, `    forward . ${list}`);
  if (!text.includes(UPSTREAM_WORD)) return { text, warnings: [] };
  return {
    text: text.replaceAll(UPSTREAM_WORD, list),
    warnings: ['Did not find TCP upstream block to replace, assuming upstreams already use UDP.'],
  };
}

function stubBlock(
  domain: string,
  servers: readonly string[],
  { localIps, port }: { localIps: readonly string[]; port: number },
): string {
  const lines = ['errors', 'cache 30', `bind ${localIps.join(' ')}`, `forward . ${servers.join(' ')}`];
  return `\n${domain}:${port} {\n${lines.map((line) => `    ${line}\n`).join('')}}\n`;
}
