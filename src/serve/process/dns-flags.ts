/** CoreDNS's own flags (dns-server 1.8), which `node-cache` has as well. */
import { AppError } from '../../fault/app-error.ts';
import { versionLines } from '../banner.ts';
import { describeFlags, type FlagTable, type ParsedFlags } from './go-flags.ts';

export const DNS_FLAGS: FlagTable = {
  conf: { kind: 'string', default: '', help: 'Corefile to load; "stdin" reads a pipe' },
  'dns.port': { kind: 'int', default: '53', help: 'port of server blocks that name none' },
  p: { kind: 'int', default: '53', help: 'the same as -dns.port' },
  pidfile: { kind: 'string', default: '', help: 'file to write the process id to' },
  plugins: { kind: 'bool', default: 'false', help: 'list the plugins and exit' },
  quiet: { kind: 'bool', default: 'false', help: 'do not print zones and version at start' },
  version: { kind: 'bool', default: 'false', help: 'print the version and exit' },
};

/** 0 to 65535; 0 lets the system choose. Throws SERVE_FLAGS. */
export function dnsPort(flags: ParsedFlags): number {
  const name = flags.isSet('p') ? 'p' : 'dns.port';
  const port = flags.int(name);
  if (port >= 0 && port <= 65535) return port;
  throw new AppError('SERVE_FLAGS', `invalid value "${port}" for flag -${name}: not a port`);
}

/**
 * What is answered without starting anything: help, version, plugin list. Throws SERVE_ARGUMENTS for words behind the
 * flags. `usage` goes in front of the list of flags.
 */
export async function answerAtOnce(
  flags: ParsedFlags,
  { usage, table }: { usage: string; table: FlagTable },
): Promise<string | undefined> {
  if (flags.wantsHelp) return `${usage}\n\n${describeFlags(table)}`;
  if (flags.rest.length > 0) {
    throw new AppError('SERVE_ARGUMENTS', `extra command line arguments: [${flags.rest.join(' ')}]`);
  }
  if (flags.flag('version')) return versionLines().join('\n');
  if (flags.flag('plugins')) return (await import('../../plugins/order.ts')).BUILT_WORDS.join('\n');
  return undefined;
}
