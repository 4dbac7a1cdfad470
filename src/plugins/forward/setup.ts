/** Reads the `forward` lines of a block, in order, into one plugin: the first whose FROM fits takes the query. */
import { randomFillSync } from 'node:crypto';
import type { Directive, Token } from '../../corefile/ast.ts';
import type { Name } from '../../dns/name.ts';
import { ipFamily } from '../../net/ip.ts';
import type { Plugin } from '../../server/handler.ts';
import type { Host, Setup } from '../contract.ts';
import { expectArgs, wrongDirective } from '../directive.ts';
import { zonesOfArgument } from '../zones.ts';
import { RandomWords } from './exchange/random-words.ts';
import type { TlsIdentity } from './exchange/stream-dialer.ts';
import { type ForwardMetrics, forwardMetrics } from './metrics.ts';
import { type ForwardSpec, readForwardSpec } from './options.ts';
import { type ForwardOptions, forward, forwards } from './plugin.ts';
import { makePolicy } from './policy.ts';
import { readTlsIdentity } from './tls-identity.ts';
import { Upstream } from './upstream.ts';
import { readTargets, type Target, type UpstreamAddress } from './upstream-address.ts';

export const setup: Setup = ({ directives, host }) => {
  const metrics = forwardMetrics(host.metrics);
  const random = new RandomWords((words) => void randomFillSync(words));
  const lines = directives.map((directive) => new ForwardLine(directive, { host, metrics, random }));
  const plugin = lines.reduceRight<Plugin | undefined>((after, line) => line.plugin(after), undefined);
  return {
    ...(plugin && { plugin }),
    handles: (name) => lines.some((line) => line.takes(name)),
    anyClass: true,
    async onStart() {
      for (const line of lines) await line.start();
    },
    onShutdown() {
      for (const line of lines) line.close();
    },
  };
};

interface Surroundings {
  readonly host: Host;
  readonly metrics: ForwardMetrics;
  readonly random: RandomWords;
}

/** One line, live: it holds its upstreams. Sockets come with the first question. */
class ForwardLine {
  readonly #around: Surroundings;
  readonly #spec: ForwardSpec;
  readonly #from: Name;
  readonly #targets: readonly Target[];
  readonly #identity: TlsIdentity;
  #upstreams: readonly Upstream[] = [];

  constructor(directive: Directive, around: Surroundings) {
    const { host } = around;
    const [from = directive.name, ...to] = expectArgs('forward', directive, 2, Number.POSITIVE_INFINITY);
    this.#around = around;
    this.#from = fromZone(from, host);
    this.#targets = readTargets(to, host.directory);
    this.#spec = readForwardSpec(directive);
    this.#identity = readTlsIdentity(this.#spec.tls, host.directory);
    this.#warnOfUselessTls();
    const addresses = this.#targets.filter((target) => 'address' in target);
    refuseOtherFamily(addresses, this.#spec, directive);
    // Without names to resolve the line is complete, and serves also where nothing is started.
    if (addresses.length === this.#targets.length) this.#open(addresses);
  }

  plugin(after: Plugin | undefined): Plugin {
    const { host, metrics } = this.#around;
    const spec = this.#spec;
    const options: ForwardOptions = {
      ...spec,
      from: this.#from,
      upstreams: () => this.#upstreams,
      policy: makePolicy(spec.policy, host.random),
      random: host.random,
      clock: host.clock,
      metrics,
    };
    return forward(options, after);
  }

  takes(name: Name): boolean {
    return forwards({ from: this.#from, except: this.#spec.except }, name);
  }

  async start(): Promise<void> {
    if (this.#upstreams.length > 0) return;
    const { resolveTargets } = await import('./host-names.ts');
    const addresses = await resolveTargets(this.#targets, this.#spec.resolvers);
    const { sourceAddress } = this.#spec;
    // A name may have addresses of both families; those that the source cannot reach are left out.
    const usable = addresses.filter(
      ({ address }) => sourceAddress === undefined || ipFamily(address) === ipFamily(sourceAddress),
    );
    this.#open(usable);
  }

  close(): void {
    for (const upstream of this.#upstreams) upstream.close();
  }

  #open(addresses: readonly UpstreamAddress[]): void {
    this.#upstreams = addresses.map((address) => this.#openOne(address));
  }

  #openOne(address: UpstreamAddress): Upstream {
    const { host, metrics, random } = this.#around;
    const { expireMs, forceTcp, maxAgeMs, maxFails, maxIdle, probe, readTimeoutMs, sourceAddress } =
      this.#spec;
    const serverName = address.serverName ?? this.#spec.tlsServerName;
    return new Upstream({
      address: serverName === undefined ? address : { ...address, serverName },
      clock: host.clock,
      random,
      metrics: metrics.upstream(address.text),
      readTimeoutMs,
      sourceAddress,
      identity: this.#identity,
      idleMs: expireMs,
      maxAgeMs,
      maxIdle,
      maxFails,
      probe: { ...probe, transport: forceTcp ? 'tcp' : 'udp' },
    });
  }

  /** CoreDNS takes such a line as well; but nobody should believe that his queries are encrypted. */
  #warnOfUselessTls(): void {
    const { tls, tlsServerName } = this.#spec;
    if ((tls === undefined && tlsServerName === undefined) || this.#targets.some((target) => target.tls))
      return;
    this.#around.host.log.warning(
      "TLS is configured, but no upstream has the scheme 'tls://': queries go in the clear",
    );
  }
}

function refuseOtherFamily(
  addresses: readonly UpstreamAddress[],
  { sourceAddress }: ForwardSpec,
  { name }: Directive,
): void {
  if (sourceAddress === undefined) return;
  const other = addresses.find(({ address }) => ipFamily(address) !== ipFamily(sourceAddress));
  if (other === undefined) return;
  throw wrongDirective('forward', name, `source_address ${sourceAddress} cannot reach ${other.text}`, {
    hint: 'They are addresses of different families: use one forward line for each',
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
