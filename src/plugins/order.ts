/**
 * The one list of plugins (dns-server 1.6). Its order is the order of set-up and of the chain, whatever the order in the
 * file. Words without a loader are CoreDNS's and not built here: they are refused by name, so that nobody believes a
 * directive is in force that is not. Each plugin is loaded only when a Corefile names it.
 */
import type { Setup } from './contract.ts';

export interface PluginEntry {
  readonly word: string;
  readonly load?: () => Promise<{ readonly setup: Setup }>;
}

export const PLUGIN_ORDER: readonly PluginEntry[] = [
  { word: 'root', load: () => import('./root/setup.ts') },
  { word: 'metadata', load: () => import('./metadata/setup.ts') },
  ...unbuilt('geoip'),
  { word: 'cancel', load: () => import('./cancel/setup.ts') },
  ...unbuilt('proxyproto quic grpc_server https https3'),
  { word: 'timeouts', load: () => import('./timeouts/setup.ts') },
  { word: 'multisocket', load: () => import('./multisocket/setup.ts') },
  { word: 'reload', load: () => import('./reload/setup.ts') },
  { word: 'nsid', load: () => import('./nsid/setup.ts') },
  { word: 'bufsize', load: () => import('./bufsize/setup.ts') },
  { word: 'bind', load: () => import('./bind/setup.ts') },
  { word: 'debug', load: () => import('./debug/setup.ts') },
  ...unbuilt('trace'),
  { word: 'ready', load: () => import('./ready/setup.ts') },
  { word: 'health', load: () => import('./health/setup.ts') },
  ...unbuilt('pprof shed'),
  { word: 'prometheus', load: () => import('./prometheus/setup.ts') },
  { word: 'errors', load: () => import('./errors/setup.ts') },
  { word: 'log', load: () => import('./log/setup.ts') },
  ...unbuilt('dnstap'),
  { word: 'local', load: () => import('./local/setup.ts') },
  { word: 'dns64', load: () => import('./dns64/setup.ts') },
  { word: 'any', load: () => import('./any/setup.ts') },
  { word: 'chaos', load: () => import('./chaos/setup.ts') },
  { word: 'loadbalance', load: () => import('./loadbalance/setup.ts') },
  ...unbuilt('tsig'),
  { word: 'rewrite', load: () => import('./rewrite/setup.ts') },
  { word: 'autopath', load: () => import('./autopath/setup.ts') },
  { word: 'acl', load: () => import('./acl/setup.ts') },
  { word: 'cache', load: () => import('./cache/setup.ts') },
  { word: 'header', load: () => import('./header/setup.ts') },
  ...unbuilt('dnssec'),
  { word: 'tls', load: () => import('./tls/setup.ts') },
  { word: 'minimal', load: () => import('./minimal/setup.ts') },
  { word: 'template', load: () => import('./template/setup.ts') },
  { word: 'transfer', load: () => import('./transfer/setup.ts') },
  { word: 'hosts', load: () => import('./hosts/setup.ts') },
  ...unbuilt('route53 azure clouddns'),
  { word: 'k8s_external', load: () => import('./k8s_external/setup.ts') },
  { word: 'kubernetes', load: () => import('./kubernetes/setup.ts') },
  { word: 'file', load: () => import('./file/setup.ts') },
  ...unbuilt('auto secondary etcd'),
  { word: 'loop', load: () => import('./loop/setup.ts') },
  { word: 'forward', load: () => import('./forward/setup.ts') },
  ...unbuilt('grpc erratic'),
  { word: 'whoami', load: () => import('./whoami/setup.ts') },
  ...unbuilt('on sign'),
  { word: 'view', load: () => import('./view/setup.ts') },
  ...unbuilt('nomad'),
];

/** Every word that may start a line of a block. */
export const KNOWN_WORDS: ReadonlySet<string> = new Set(PLUGIN_ORDER.map((entry) => entry.word));

export const BUILT_WORDS: readonly string[] = PLUGIN_ORDER.filter((entry) => entry.load !== undefined).map(
  (entry) => entry.word,
);

function unbuilt(words: string): PluginEntry[] {
  return words.split(' ').map((word) => ({ word }));
}
