/**
 * The servers that are compared, each on its own port of 127.0.0.1 with one thread: what is started and with which
 * configuration. All caches ask the same upstream. Files go into a folder that the caller removes.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ContenderSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
}

/** Ports that nobody uses. */
export interface Ports {
  readonly upstream: number;
  readonly floor: number;
  readonly zerohop: number;
  readonly metrics: number;
  readonly unbound: number;
}

const root = join(import.meta.dirname, '..');
const NODE = join(root, 'node_modules', 'node', 'bin', 'node');

export function upstreamSpec({ upstream }: Ports): ContenderSpec {
  const program = join(import.meta.dirname, 'servers', 'authority.ts');
  return { name: 'upstream', command: NODE, args: [program, String(upstream)], port: upstream };
}

/** The floor comes first: the others are compared with it. Unbound only where it is installed. */
export function contenderSpecs(directory: string, ports: Ports): readonly ContenderSpec[] {
  const corefile = join(directory, 'Corefile');
  writeFileSync(corefile, corefileText(ports));
  const floor = join(import.meta.dirname, 'servers', 'floor.ts');
  const main = join(root, 'src', 'cli', 'boot', 'zerohop.mjs');
  const own = [
    { name: 'floor', command: NODE, args: [floor, String(ports.floor)], port: ports.floor },
    { name: 'zerohop', command: NODE, args: [main, 'dns', '-conf', corefile], port: ports.zerohop },
  ];
  if (!isInstalled('unbound')) return own;
  const config = join(directory, 'unbound.conf');
  writeFileSync(config, unboundText(directory, ports));
  return [...own, { name: 'unbound', command: 'unbound', args: ['-d', '-c', config], port: ports.unbound }];
}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['-h'], { stdio: 'ignore' }).error === undefined;
}

/** Every plugin that a node-local cache and the stock CoreDNS have on the way of a hit; the query log is off in both. */
function corefileText({ zerohop, metrics, upstream }: Ports): string {
  return `.:${zerohop} {
    bind 127.0.0.1
    errors
    cache 3600
    reload
    loop
    prometheus 127.0.0.1:${metrics}
    loadbalance
    forward . 127.0.0.1:${upstream}
}
`;
}

function unboundText(directory: string, { unbound, upstream }: Ports): string {
  return `server:
  interface: 127.0.0.1
  port: ${unbound}
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  use-syslog: no
  verbosity: 0
  username: ""
  chroot: ""
  pidfile: ""
  directory: "${directory}"
  logfile: "unbound.log"
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstream}
remote-control:
  control-enable: no
`;
}
