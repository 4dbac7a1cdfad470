/** Reads the `forward` lines of a block, in order, into one plugin: the first whose FROM fits takes the query. */
import { randomInt } from 'node:crypto';
import type { Directive, Token } from '../../corefile/ast.ts';
import type { Name } from '../../dns/name.ts';
import type { Plugin } from '../../server/handler.ts';
import type { Host, Setup } from '../contract.ts';
import { expectArgs, wrongDirective } from '../directive.ts';
import { zonesOfArgument } from '../zones.ts';
import { type ForwardMetrics, forwardMetrics } from './metrics.ts';
import { type ForwardSpec, readForwardSpec } from './options.ts';
import { type ForwardOptions, forward } from './plugin.ts';
import { makePolicy } from './policy.ts';
import { Upstream } from './upstream.ts';
import { readUpstreams, type UpstreamAddress } from './upstream-address.ts';

export const setup: Setup = ({ directives, host }) => {
  const metrics = forwardMetrics(host.metrics);
  const lines = directives.map((directive) => readLine(directive, { host, metrics }));
  const plugin = lines.reduceRight<Plugin | undefined>((after, line) => forward(line, after), undefined);
  return {
    ...(plugin && { plugin }),
    anyClass: true,
    onShutdown() {
      for (const { upstreams } of lines) for (const upstream of upstreams) upstream.close();
    },
  };
};

interface Surroundings {
  readonly host: Host;
  readonly metrics: ForwardMetrics;
}

function readLine(directive: Directive, around: Surroundings): ForwardOptions {
  const { host, metrics } = around;
  const [from = directive.name, ...to] = expectArgs('forward', directive, 2, Number.POSITIVE_INFINITY);
  const zone = fromZone(from, host);
  const addresses = readUpstreams(to, host.directory);
  const spec = readForwardSpec(directive);
  const upstreams = addresses.map((address) => openUpstream(address, spec, around));
  return {
    from: zone,
    except: spec.except,
    forceTcp: spec.forceTcp,
    preferUdp: spec.preferUdp,
    maxConcurrent: spec.maxConcurrent,
    nextRcodes: spec.nextRcodes,
    upstreams,
    policy: makePolicy(spec.policy, host.random),
    random: host.random,
    clock: host.clock,
    metrics,
    maxAttempts: spec.maxAttempts ?? 2 * upstreams.length,
    failfast: spec.failfast,
    failover: spec.failover,
  };
}

/** Opens nothing yet: sockets come with the first question. */
function openUpstream(
  address: UpstreamAddress,
  spec: ForwardSpec,
  { host, metrics }: Surroundings,
): Upstream {
  return new Upstream({
    address,
    metrics,
    tools: { clock: host.clock, randomId: () => randomInt(0x1_0000), readTimeoutMs: spec.readTimeoutMs },
    idleMs: spec.expireMs,
    maxFails: spec.maxFails,
    probe: { ...spec.probe, transport: spec.forceTcp ? 'tcp' : 'udp' },
  });
}

function fromZone(token: Token, host: Host): Name {
  const [zone, ...others] = zonesOfArgument(token.text);
  if (zone === undefined) throw wrongDirective('forward', token, `unable to normalize '${token.text}'`);
  if (others.length > 0) {
    const several = `'${token.text}' expands to multiple zones. Using only '${zone}'`;
    host.log.warning(`Unsupported CIDR notation: ${several}.`);
  }
  return zone;
}
