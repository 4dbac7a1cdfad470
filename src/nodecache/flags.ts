/**
 * The flags of NodeLocal DNSCache's binary (dns-server 4.2), so that existing manifests start unchanged. Beyond it,
 * addresses of both families may stand in one list.
 */
import { AppError } from '../fault/app-error.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import { DNS_FLAGS, kernelAnswers } from '../serve/process/dns-flags.ts';
import type { FlagTable, ParsedFlags } from '../serve/process/go-flags.ts';
import type { NodeCacheErrorCode } from './errors.ts';

export const NODE_CACHE_FLAGS: FlagTable = {
  ...DNS_FLAGS,
  // Texts, because the original has its own words for what is no port.
  'dns.port': {
    kind: 'string',
    default: '53',
    help: 'port of server blocks that name none, and of the rules',
  },
  p: { kind: 'string', default: '53', help: 'the same as -dns.port' },
  localip: { kind: 'string', default: '', help: 'comma-separated addresses to listen on' },
  interfacename: { kind: 'string', default: 'nodelocaldns', help: 'name of the interface to make' },
  setupinterface: { kind: 'bool', default: 'true', help: 'make the interface, and keep it' },
  setupiptables: { kind: 'bool', default: 'true', help: 'write packet filter rules, and keep them' },
  skipteardown: { kind: 'bool', default: 'false', help: 'leave interface and rules when the process ends' },
  syncinterval: { kind: 'string', default: '60ns', help: 'seconds between checks of interface and rules' },
  'metrics-listen-address': { kind: 'string', default: '0.0.0.0:9353', help: 'where the metrics are served' },
  basecorefile: { kind: 'string', default: '/etc/coredns/Corefile.base', help: 'template of the Corefile' },
  corefile: { kind: 'string', default: '/etc/Corefile', help: 'Corefile to write when -conf is not given' },
  kubednscm: { kind: 'string', default: '', help: 'directory of the mounted kube-dns ConfigMap' },
  upstreamsvc: {
    kind: 'string',
    default: 'kube-dns',
    help: 'service that __PILLAR__CLUSTER__DNS__ stands for',
  },
  'health-port': { kind: 'string', default: '8080', help: 'port of the health page, for the rules' },
  reloadwithsignal: {
    kind: 'bool',
    default: 'false',
    help: 'after writing the Corefile, send SIGUSR1 to itself',
  },
};

export interface NodeCacheSpec {
  readonly localIps: readonly Ip[];
  readonly port: number;
  /** Written by us, read by the server. */
  readonly corefile: string;
  readonly baseCorefile: string;
  /** Empty: none was named. */
  readonly kubeDnsDirectory: string;
  readonly upstreamService: string;
  readonly metricsAddress: string;
  readonly pidfile: string;
  readonly quiet: boolean;
  readonly adminSocket: string;
  readonly takeover: string;
  readonly heartbeat: string;
  readonly kernelAnswers: boolean;
  readonly reloadWithSignal: boolean;
  /** At most 15 characters. */
  readonly interfaceName: string;
  readonly setupInterface: boolean;
  readonly setupIptables: boolean;
  readonly skipTeardown: boolean;
  /** Port of the health page: packets of the probe need no connection tracking either. */
  readonly healthPort: number;
  /** Between two checks of interface and rules. */
  readonly syncIntervalSeconds: number;
}

const MAX_SYNC_SECONDS = 86_400;

/** Throws NODECACHE_FLAGS, and SERVE_FLAGS for an interval that is none and for kernel answers that are neither on nor off. */
export function nodeCacheSpec(flags: ParsedFlags): NodeCacheSpec {
  return {
    localIps: localIps(flags.text('localip')),
    port: portOf(flags.text(flags.isSet('p') ? 'p' : 'dns.port'), 'port', 0),
    corefile: flags.text('conf') === '' ? flags.text('corefile') : flags.text('conf'),
    baseCorefile: flags.text('basecorefile'),
    kubeDnsDirectory: flags.text('kubednscm'),
    upstreamService: flags.text('upstreamsvc'),
    metricsAddress: flags.text('metrics-listen-address'),
    pidfile: flags.text('pidfile'),
    quiet: flags.flag('quiet'),
    adminSocket: flags.text('admin-socket'),
    takeover: flags.text('takeover'),
    heartbeat: flags.text('heartbeat'),
    kernelAnswers: kernelAnswers(flags),
    reloadWithSignal: flags.flag('reloadwithsignal'),
    interfaceName: interfaceName(flags.text('interfacename')),
    setupInterface: flags.flag('setupinterface'),
    setupIptables: flags.flag('setupiptables'),
    skipTeardown: flags.flag('skipteardown'),
    healthPort: portOf(flags.text('health-port'), 'healthcheck port', 1),
    syncIntervalSeconds: syncIntervalSeconds(flags.text('syncinterval')),
  };
}

function localIps(list: string): readonly Ip[] {
  const ips = list.split(',').map((text) => {
    const ip = parseIp(text.trim());
    if (ip === undefined) throw flagFault(`invalid localip specified - ${JSON.stringify(text)}`);
    return ip;
  });
  return [...new Set(ips)];
}

/** Port 0 lets the system choose, which is no use to rules but is to tests of the rest. */
function portOf(text: string, what: string, least: 0 | 1): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= least && port <= 65535) return port;
  throw flagFault(`invalid ${what} specified - ${JSON.stringify(text)}`);
}

/** What the kernel takes, which has its own use for slash and colon. */
function interfaceName(text: string): string {
  if (/^[!-.0-9;-~]{1,15}$/.test(text) && text !== '.' && text !== '..') return text;
  throw flagFault(`invalid interfacename specified - ${JSON.stringify(text)}`);
}

/** In the original a Go duration counted in seconds: `60ns` is a minute. A plain number and a real duration mean what they say. */
function syncIntervalSeconds(text: string): number {
  const match = /^(?:(\d+)(?:ns)?|(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)$/.exec(text);
  const [plain = 0, hours = 0, minutes = 0, seconds = 0] = (match ?? [])
    .slice(1)
    .map((part) => Number(part ?? 0));
  const total = plain + hours * 3600 + minutes * 60 + seconds;
  if (total >= 1 && total <= MAX_SYNC_SECONDS) return total;
  throw new AppError(
    'SERVE_FLAGS',
    `invalid value ${JSON.stringify(text)} for flag -syncinterval: parse error`,
    { hint: 'As in 60ns, 60 or 1m, which all are a minute; a day at most' },
  );
}

function flagFault(reason: string): AppError {
  const code: NodeCacheErrorCode = 'NODECACHE_FLAGS';
  return new AppError(code, `Error parsing flags - ${reason}, Exiting`);
}
