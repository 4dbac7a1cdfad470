/**
 * The flags of NodeLocal DNSCache's binary (dns-server 4.2), so that existing manifests start unchanged. What this build
 * cannot do is refused by name: silently not making an interface would leave pods without DNS.
 */
import { AppError } from '../fault/app-error.ts';
import { type Ip, ipFamily, parseIp } from '../net/ip.ts';
import { DNS_FLAGS, dnsPort } from '../serve/process/dns-flags.ts';
import type { FlagTable, ParsedFlags } from '../serve/process/go-flags.ts';
import type { NodeCacheErrorCode } from './errors.ts';

export const NODE_CACHE_FLAGS: FlagTable = {
  ...DNS_FLAGS,
  localip: { kind: 'string', default: '', help: 'comma-separated addresses to listen on, of one family' },
  interfacename: { kind: 'string', default: 'nodelocaldns', help: 'name of the interface to make' },
  setupinterface: { kind: 'bool', default: 'true', help: 'make the interface (not built: pass false)' },
  setupiptables: { kind: 'bool', default: 'true', help: 'write packet filter rules (not built: pass false)' },
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
  'health-port': { kind: 'int', default: '8080', help: 'port of the health page, for the rules' },
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
  readonly reloadWithSignal: boolean;
}

/** Throws `AppError`s of this folder. */
export function nodeCacheSpec(flags: ParsedFlags): NodeCacheSpec {
  const spec: NodeCacheSpec = {
    localIps: localIps(flags.text('localip')),
    port: dnsPort(flags),
    corefile: flags.text('conf') === '' ? flags.text('corefile') : flags.text('conf'),
    baseCorefile: flags.text('basecorefile'),
    kubeDnsDirectory: flags.text('kubednscm'),
    upstreamService: flags.text('upstreamsvc'),
    metricsAddress: flags.text('metrics-listen-address'),
    pidfile: flags.text('pidfile'),
    quiet: flags.flag('quiet'),
    reloadWithSignal: flags.flag('reloadwithsignal'),
  };
  if (!isPort(flags.int('health-port'))) {
    throw flagFault(`invalid healthcheck port specified - ${JSON.stringify(flags.text('health-port'))}`);
  }
  checkSyncInterval(flags.text('syncinterval'));
  refuseUnbuilt(flags);
  return spec;
}

function localIps(list: string): readonly Ip[] {
  const ips = list.split(',').map((text) => {
    const ip = parseIp(text.trim());
    if (ip === undefined) throw flagFault(`invalid localip specified - ${JSON.stringify(text)}`);
    return ip;
  });
  const [first] = ips;
  const other = ips.find((ip) => first !== undefined && ipFamily(ip) !== ipFamily(first));
  if (first === undefined || other === undefined) return ips;
  const wantsIpv6 = ipFamily(first) === 6;
  throw flagFault(`unexpected IP Family for localIP - ${JSON.stringify(other)}, want IPv6=${wantsIpv6}`);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

/** In the original a Go duration counted in seconds: `60ns` is a minute. Plain numbers and seconds are taken too. */
function checkSyncInterval(text: string): void {
  if (/^\d{1,9}(ns|s)?$/.test(text) && Number.parseInt(text, 10) > 0) return;
  throw flagFault(`invalid syncinterval specified - ${JSON.stringify(text)}`);
}

function refuseUnbuilt(flags: ParsedFlags): void {
  if (flags.flag('setupinterface')) {
    throw unbuilt('NODECACHE_INTERFACE_UNBUILT', 'make the interface', '-setupinterface');
  }
  if (flags.flag('setupiptables')) {
    throw unbuilt('NODECACHE_IPTABLES_UNBUILT', 'write packet filter rules', '-setupiptables');
  }
}

function unbuilt(code: NodeCacheErrorCode, what: string, flag: string): AppError {
  return new AppError(code, `Cannot ${what}: this build does not do that: received ${flag}=true`, {
    hint: 'Pass -setupinterface=false -setupiptables=false -skipteardown=true, and let a local redirect policy bring the queries',
  });
}

function flagFault(reason: string): AppError {
  const code: NodeCacheErrorCode = 'NODECACHE_FLAGS';
  return new AppError(code, `Error parsing flags - ${reason}, Exiting`);
}
