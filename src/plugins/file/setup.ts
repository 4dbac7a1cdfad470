/** `file DBFILE [ZONES…] { reload DURATION; reload_by_mtime; fallthrough [ZONES…] }`; may stand several times in a block. */
import { resolve } from 'node:path';
import type { Directive, OptionLine } from '../../corefile/ast.ts';
import { canonicalName, type Name, ROOT } from '../../dns/name.ts';
import type { Host, Setup, SetupContext } from '../contract.ts';
import { durationArg, durationFault, expectArgs, unknownProperty, wrongDirective } from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { filePlugin, type ZoneSource, zoneOf } from './plugin.ts';
import { ZoneFile } from './zone-file.ts';
import { transferZone } from './zone-transfer.ts';

const PLUGIN = 'file';
const DEFAULT_RELOAD_MS = 60_000;
const OPTIONS: readonly string[] = ['reload', 'reload_by_mtime', 'fallthrough'];

interface Settings {
  reloadMs: number;
  byMtime: boolean;
  fallthrough: readonly Name[];
}

export const setup: Setup = (context) => {
  const { directives, host } = context;
  const sources = new Map<Name, ZoneSource>();
  const opened: ZoneFile[] = [];
  for (const directive of directives) {
    const settings = readOptions(directive.body ?? []);
    const file = zoneFile(directive, settings, context);
    opened.push(file);
    // Of a zone that is named twice, the last file counts.
    for (const origin of file.origins) sources.set(origin, { file, fallthrough: settings.fallthrough });
  }
  return {
    plugin: filePlugin({ sources, resolve: host.resolve }),
    handles: (name) => zoneOf(sources, name) !== undefined,
    transfer(zone, sinceSerial) {
      const origin = canonicalName(zone);
      const found = sources.get(origin)?.file.zone(origin);
      return found && transferZone(found, sinceSerial);
    },
    async onStart() {
      for (const file of opened) await file.open();
    },
    onShutdown() {
      for (const file of opened) file.close();
    },
  };
};

function zoneFile(directive: Directive, settings: Settings, { block, host }: SetupContext): ZoneFile {
  const [path, ...zones] = expectArgs(PLUGIN, directive, 1, Number.POSITIVE_INFINITY);
  const { reloadMs, byMtime } = settings;
  const { clock, log } = host;
  return new ZoneFile({
    path: resolve(host.directory, path?.text ?? ''),
    origins: [...new Set(zonesFrom(zones, block.zones))],
    reloadMs,
    byMtime,
    clock,
    log,
    onChanged: forgetter(host),
  });
}

/** Also of what was there at the start: caches outlive a reload of the Corefile. */
function forgetter(host: Host) {
  return (origin: Name) => host.recordsChanged([origin]);
}

function readOptions(lines: readonly OptionLine[]): Settings {
  const settings: Settings = { reloadMs: DEFAULT_RELOAD_MS, byMtime: false, fallthrough: [] };
  for (const line of lines) readOption(settings, line);
  return settings;
}

function readOption(settings: Settings, line: OptionLine): void {
  switch (line.name.text) {
    case 'reload':
      settings.reloadMs = reloadOf(line);
      return;
    case 'reload_by_mtime':
      expectArgs(PLUGIN, line, 0);
      settings.byMtime = true;
      return;
    case 'fallthrough':
      settings.fallthrough = zonesFrom(line.args, [ROOT]);
      return;
    case 'upstream':
      // CoreDNS takes the word of old and does nothing with it: what it asked for is always done.
      return;
    default:
      throw unknownProperty(PLUGIN, line.name, OPTIONS);
  }
}

function reloadOf(line: OptionLine): number {
  const [period] = line.args;
  if (period === undefined) throw wrongDirective(PLUGIN, line.name, 'reload duration value is expected');
  expectArgs(PLUGIN, line, 1);
  if (period.text.startsWith('-')) throw wrongDirective(PLUGIN, period, durationFault(period.text));
  return durationArg(PLUGIN, period);
}
