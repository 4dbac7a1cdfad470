/** What is printed raw at start: one line per zone and listener, then the two version lines that tools parse. */

import { readFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { followsPreferredSyntax } from '../corefile/keys.ts';
import { COMPATIBLE_VERSION } from '../plugins/compatible-version.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';

/** Node's names to Go's. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** `.:53`, `cluster.local.:53 on 10.96.0.10`; zones sorted within a listener (dns-server 7.2). */
export function zoneLines(listeners: readonly ListenerPlan[]): readonly string[] {
  return listeners.flatMap(({ transport, members, port, address }) => {
    const scheme = transport === 'dns' ? '' : `${transport}://`;
    const zones = [...new Set(members.flatMap((member) => member.zones))].sort();
    return zones.flatMap((zone) => {
      const line = `${scheme}${zone}:${port}${address === undefined ? '' : ` on ${address}`}`;
      if (followsPreferredSyntax(zone)) return [line];
      return [`Warning: Domain "${zone}" does not follow RFC1035 preferred syntax`, line];
    });
  });
}

/** dns-server 7.3: the second line ends in a comma and a blank, as builds without a commit print it. */
export function versionLines(): readonly [string, string] {
  const runtime = `zerohop ${programVersion()} node ${process.versions.node}`;
  const machine = arch();
  return [`CoreDNS-${COMPATIBLE_VERSION}`, `${platform()}/${GO_ARCH[machine] ?? machine}, ${runtime}, `];
}

export function programVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  const version = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : '';
  return String(version);
}
