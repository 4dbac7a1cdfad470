/**
 * The servers that are compared, each on its own port of 127.0.0.1: what is started and with which configuration. All
 * caches ask the same upstream. Files go into a folder that the caller removes.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, freePorts } from '../src/net/testing/free-ports.ts';
import type { ContenderSpec } from './contender.ts';

const root = join(import.meta.dirname, '..');
export const NODE = join(root, 'node_modules', 'node', 'bin', 'node');
/** What users call. */
export const ZEROHOP = join(root, 'bin', 'zerohop');

export interface Site {
  readonly directory: string;
  /** Port of the upstream. */
  readonly upstream: number;
}

export interface ZerohopOptions {
  readonly name?: string;
  readonly flags?: readonly string[];
  /** Lines inside `cache 3600 { }`. */
  readonly cache?: string;
  /** Further directives. */
  readonly plugins?: string;
}

/** Every plugin that a node-local cache and the stock CoreDNS have on the way of a hit; the query log is off in both. */
export async function zerohop(site: Site, options: ZerohopOptions = {}): Promise<ContenderSpec> {
  const { name = 'zerohop', flags = [], cache = '', plugins = '' } = options;
  const [port = 0, metrics = 0] = await freePorts(2);
  const corefile = join(site.directory, `Corefile.${port}`);
  const text = `.:${port} {
    bind 127.0.0.1
    errors
    cache 3600 {
        ${cache}
    }
    reload
    loop
    prometheus 127.0.0.1:${metrics}
    loadbalance
    ${plugins}
    forward . 127.0.0.1:${site.upstream}
}
`;
  writeFileSync(corefile, cache === '' ? text.replace(/cache 3600 \{\s*\}/, 'cache 3600') : text);
  return { name, command: ZEROHOP, args: ['dns', '-conf', corefile, ...flags], port, metrics };
}

export interface UnboundOptions {
  readonly name?: string;
  readonly threads?: number;
  /** Lines inside `server:`. */
  readonly settings?: string;
}

/** No validation, as we have none. */
export async function unbound(site: Site, options: UnboundOptions = {}): Promise<ContenderSpec> {
  const { name = 'unbound', threads = 1, settings = '' } = options;
  const port = await freePort();
  const config = join(site.directory, `unbound.${port}.conf`);
  writeFileSync(
    config,
    `server:
  interface: 127.0.0.1
  port: ${port}
  num-threads: ${threads}
  module-config: "iterator"
  do-not-query-localhost: no
  use-syslog: no
  verbosity: 0
  username: ""
  chroot: ""
  pidfile: ""
  directory: "${site.directory}"
  logfile: "unbound.log"
  ${settings}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${site.upstream}
remote-control:
  control-enable: no
`,
  );
  return { name, command: 'unbound', args: ['-d', '-c', config], port };
}

/** Its packet cache in front of the upstream, one listener. */
export async function dnsdist(site: Site): Promise<ContenderSpec> {
  const port = await freePort();
  const config = join(site.directory, `dnsdist.${port}.conf`);
  writeFileSync(
    config,
    `setLocal('127.0.0.1:${port}')
setSecurityPollSuffix('')
newServer({address='127.0.0.1:${site.upstream}'})
getPool(''):setCache(newPacketCache(100000, {maxTTL=86400}))
`,
  );
  return {
    name: 'dnsdist',
    command: 'dnsdist',
    args: ['--supervised', '--disable-syslog', '-C', config],
    port,
  };
}
