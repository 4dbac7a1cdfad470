/** Server blocks with their keys understood: what each serves, and on which ports. Pure. */
import type { Block, Corefile } from '../../corefile/ast.ts';
import { parseZoneKey } from '../../corefile/keys.ts';
import { type Name, parseName } from '../../dns/name.ts';
import { AppError } from '../../fault/app-error.ts';

/** What listeners speak: DNS over UDP and TCP, or over TLS. */
export type Transport = 'dns' | 'tls';

export interface PlannedKey {
  readonly transport: Transport;
  /** All expansions of a CIDR. */
  readonly zones: readonly Name[];
  readonly port: number;
}

export interface BlockPlan {
  readonly block: Block;
  /** At least one. */
  readonly keys: readonly PlannedKey[];
}

/** `defaultPort` is for keys without one. Throws an `AppError`. */
export function planBlocks(corefile: Corefile, defaultPort: number): readonly BlockPlan[] {
  return corefile.blocks.map((block) => ({
    block,
    keys: block.keys.map((token) => {
      const { scheme, zones, port } = parseZoneKey(token.text, defaultPort);
      if (scheme !== 'dns' && scheme !== 'tls') {
        const place = `${token.file}:${token.line}`;
        throw new AppError(
          'SERVE_SCHEME_UNBUILT',
          `Cannot serve ${token.text}: ${scheme} is not built into this server: received ${place}`,
          { hint: 'DNS over UDP and TCP is (dns:// or no scheme), and over TLS (tls://)' },
        );
      }
      return { transport: scheme, zones: zones.map((zone) => nameOf(zone, token.text)), port };
    }),
  }));
}

/** The codec knows a few more ways than the key parser to be no name. */
function nameOf(zone: string, key: string): Name {
  const name = parseName(zone);
  if (name !== undefined) return name;
  const reason = `zone is not a valid domain name: ${key}`;
  throw new AppError('COREFILE_ZONE', `error inspecting server blocks: ${reason}`);
}
