/** `hosts [FILE [ZONES…]] { ADDRESS NAMES…; ttl N; no_reverse; reload D; fallthrough [ZONES…]; fallthrough_unsupported }`. */
import { resolve } from 'node:path';
import type { OptionLine } from '../../corefile/ast.ts';
import { type Name, ROOT } from '../../dns/name.ts';
import type { Host, Setup } from '../contract.ts';
import {
  durationArg,
  expectArgs,
  onlyArg,
  onlyDirective,
  parseInteger,
  unknownProperty,
  wrongDirective,
} from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { type HostsLine, type HostTable, hostTable, parseHostsLine } from './host-table.ts';
import { HostsFile } from './hosts-file.ts';
import { hostsPlugin, looksUp } from './plugin.ts';

const PLUGIN = 'hosts';
const DEFAULT_FILE = '/etc/hosts';
const DEFAULT_TTL_SECONDS = 3600;
const MAX_TTL_SECONDS = 65_535;
const DEFAULT_RELOAD_MS = 5000;
const OPTIONS: readonly string[] = ['ttl', 'no_reverse', 'reload', 'fallthrough', 'fallthrough_unsupported'];

interface Settings {
  ttlSeconds: number;
  reloadMs: number;
  reverse: boolean;
  fallthrough: readonly Name[];
  fallthroughUnsupported: OptionLine | undefined;
  readonly inline: HostsLine[];
}

export const setup: Setup = ({ directives, block, host }) => {
  const directive = onlyDirective(directives);
  const [file, ...zoneArgs] = directive.args;
  const path = resolve(host.directory, file?.text ?? DEFAULT_FILE);
  const settings = readOptions(directive.body ?? []);
  const options = { zones: zonesFrom(zoneArgs, block.zones), reverse: settings.reverse };
  const inline = hostTable(settings.inline, options);
  const source = new HostsFile({
    ...options,
    path,
    reloadMs: settings.reloadMs,
    clock: host.clock,
    log: host.log,
    onLoaded: reporter(host, { path, inline }),
  });
  const plugin = hostsPlugin({
    ...options,
    ttlSeconds: settings.ttlSeconds,
    fallthrough: settings.fallthrough,
    fallthroughUnsupported: settings.fallthroughUnsupported !== undefined,
    inline,
    file: () => source.table,
  });
  return {
    plugin,
    handles: (name, type) => looksUp(name, type, options),
    onStart: () => source.open(),
    onShutdown: () => source.close(),
  };
};

/** Counts what is in force, and has the caches forget what has changed. */
function reporter(host: Host, { path, inline }: { path: string; inline: HostTable }) {
  const entries = host.metrics
    .gauge({
      name: 'coredns_hosts_entries',
      help: 'Entries of the hosts file and of the Corefile, both ways',
      labels: ['hostsfile'],
    })
    .with(path);
  const reloaded = host.metrics
    .gauge({
      name: 'coredns_hosts_reload_timestamp_seconds',
      help: 'Time of the hosts file that was read last',
      labels: [],
    })
    .with();
  entries.set(inline.entries);
  return (table: HostTable, before: HostTable | undefined, mtimeMs: number) => {
    entries.set(table.entries + inline.entries);
    reloaded.set(mtimeMs / 1000);
    // Before the first reading nothing has been answered that could be wrong now.
    const changed = before === undefined ? [] : table.changes(before);
    if (changed.length > 0) host.recordsChanged(changed);
    host.log.debug(`Parsed hosts file into ${table.entries} entries`);
  };
}

function readOptions(lines: readonly OptionLine[]): Settings {
  const settings: Settings = {
    ttlSeconds: DEFAULT_TTL_SECONDS,
    reloadMs: DEFAULT_RELOAD_MS,
    reverse: true,
    fallthrough: [],
    fallthroughUnsupported: undefined,
    inline: [],
  };
  for (const line of lines) readOption(settings, line);
  const { fallthrough, fallthroughUnsupported } = settings;
  if (fallthroughUnsupported !== undefined && fallthrough.length === 0) {
    throw wrongDirective(PLUGIN, fallthroughUnsupported.name, 'fallthrough_unsupported requires fallthrough');
  }
  return settings;
}

function readOption(settings: Settings, line: OptionLine): void {
  switch (line.name.text) {
    case 'ttl':
      settings.ttlSeconds = ttlOf(line);
      return;
    case 'no_reverse':
      expectArgs(PLUGIN, line, 0);
      settings.reverse = false;
      return;
    case 'reload':
      settings.reloadMs = reloadOf(line);
      return;
    case 'fallthrough':
      settings.fallthrough = zonesFrom(line.args, [ROOT]);
      return;
    case 'fallthrough_unsupported':
      expectArgs(PLUGIN, line, 0);
      settings.fallthroughUnsupported = line;
      return;
    default:
      settings.inline.push(inlineOf(line, settings.fallthrough.length > 0));
  }
}

function ttlOf(line: OptionLine): number {
  const [seconds] = line.args;
  if (seconds === undefined) throw wrongDirective(PLUGIN, line.name, 'ttl needs a time in second');
  onlyArg(PLUGIN, line);
  const value = parseInteger(seconds.text);
  if (value !== undefined && value >= 1 && value <= MAX_TTL_SECONDS) return value;
  throw wrongDirective(PLUGIN, seconds, 'ttl provided is invalid', {
    hint: `It is a number of seconds from 1 to ${MAX_TTL_SECONDS}: received ${seconds.text}`,
  });
}

function reloadOf(line: OptionLine): number {
  const [period] = line.args;
  if (period === undefined || line.args.length > 1) {
    throw wrongDirective(PLUGIN, line.name, 'reload needs a duration (zero seconds to disable)');
  }
  if (period.text.startsWith('-'))
    throw wrongDirective(PLUGIN, period, `invalid duration for reload '${period.text}'`);
  return durationArg(PLUGIN, period);
}

/** A line of a hosts file in the Corefile. Behind `fallthrough` CoreDNS takes none, so that options are not misread. */
function inlineOf(line: OptionLine, isLate: boolean): HostsLine {
  const parsed = parseHostsLine([line.name, ...line.args].map(({ text }) => text).join(' '));
  if (!isLate && parsed !== undefined && parsed !== false) return parsed;
  throw unknownProperty(PLUGIN, line.name, [...OPTIONS, 'ADDRESS NAME… before fallthrough']);
}
