/** Renders the Corefile from its template and writes it where the server reads it, as often as something changes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { errorText } from '../fault/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import type { NodeCacheSpec } from './flags.ts';
import type { KubeDnsConfig } from './kube-dns-config.ts';
import { renderTemplate } from './template.ts';

export interface CorefileWriterOptions {
  readonly spec: NodeCacheSpec;
  /** Cluster address of the upstream service. */
  readonly clusterDns: string | undefined;
  /** Where lines go, at this moment. */
  readonly log: () => Log;
  readonly onFailed: () => void;
}

/** Says whether the file was written. A failure is logged and counted, the file before stays. */
export function writeCorefile(
  config: KubeDnsConfig,
  { spec, clusterDns, log, onFailed }: CorefileWriterOptions,
): boolean {
  const { stubDomains, upstreamServers } = config;
  try {
    const { text, warnings } = renderTemplate(readFileSync(spec.baseCorefile, 'utf8'), {
      localIps: spec.localIps,
      ...(clusterDns === undefined ? {} : { clusterDns }),
      upstreamServers,
      stubDomains,
      port: spec.port,
    });
    for (const warning of warnings) log().warning(warning);
    writeFileSync(spec.corefile, text, { mode: 0o666 });
    const servers = upstreamServers.length === 0 ? '/etc/resolv.conf' : upstreamServers.join(' ');
    log().info(
      `Updated Corefile with ${stubDomains.size} custom stubdomains and upstream servers ${servers}`,
    );
    log().info(`Using config file:\n${text}`);
    return true;
  } catch (error) {
    log().error(`Cannot write the Corefile ${spec.corefile} from ${spec.baseCorefile}: ${errorText(error)}`);
    onFailed();
    return false;
  }
}
