/**
 * Who else is using what we are about to remove. Two instances overlap while a DaemonSet is rolled out with a surge, in
 * containers that share nothing but the network namespace. So each claims what it uses as names in that namespace, which
 * the kernel gives back when it dies, `kill -9` included; nothing goes stale and no file is needed.
 *
 * Names: `zerohop-node-cache/INTERFACE/ID/address/IP` while the interface must have an address, and
 * `zerohop-node-cache/INTERFACE/ID/rules/IP/PORT/HEALTHPORT` while rules bring queries to us. Servers that claim nothing,
 * the original among them, are seen by the sockets that they have bound.
 */
import { type Ip, parseIp } from '../../net/ip.ts';
import { claimedNames, claimName } from '../../sys/abstract-name.ts';
import { boundSockets, ownSocketInodes } from '../../sys/bound-sockets.ts';
import { type NodeRule, type RuleSpec, ruleKey, rulesFor } from '../filter/rules.ts';

const PREFIX = 'zerohop-node-cache/';

/** A view of one moment. */
export interface OthersUse {
  /** The address on the interface of our name. */
  address(ip: Ip): boolean;
  /** Anything on the interface of our name. */
  anyAddress(): boolean;
  rule(rule: NodeRule): boolean;
}

export class Claims {
  readonly #interfaceName: string;
  readonly #id: string;
  readonly #dnsPort: number;
  readonly #held: (() => void)[] = [];

  /** `id` tells instances apart: at most 8 characters. */
  constructor(interfaceName: string, id: string, dnsPort: number) {
    this.#interfaceName = interfaceName;
    this.#id = id;
    this.#dnsPort = dnsPort;
  }

  holdAddresses(ips: readonly Ip[]): void {
    for (const ip of ips) this.#hold(`address/${ip}`);
  }

  /** Only when queries can be answered: another instance may put these rules in force on the way. */
  holdRules(specs: readonly RuleSpec[]): void {
    for (const { ip, port, healthPort } of specs) this.#hold(`rules/${ip}/${port}/${healthPort}`);
  }

  /** From now on others need not heed us. */
  release(): void {
    for (const giveBack of this.#held.splice(0)) giveBack();
  }

  others(): OthersUse {
    const addresses = new Set<string>();
    const rules = new Set<string>();
    for (const name of claimedNames(PREFIX)) {
      const [interfaceName, id, kind, text = '', port, healthPort] = name.slice(PREFIX.length).split('/');
      const ip = parseIp(text);
      if (id === this.#id || ip === undefined) continue;
      if (kind === 'address' && interfaceName === this.#interfaceName) addresses.add(ip);
      if (kind !== 'rules') continue;
      const spec = { ip, port: Number(port), healthPort: Number(healthPort) };
      for (const rule of rulesFor(spec)) rules.add(ruleKey(rule));
    }
    const strangers = this.#strangers();
    return {
      address: (ip) => addresses.has(ip) || strangers.has(ip),
      anyAddress: () => addresses.size > 0,
      rule: (rule) => rules.has(ruleKey(rule)) || strangers.has(rule.ip),
    };
  }

  /** One instance at a time sets up or tears down. Undefined while another is at it. */
  tryLock(): (() => void) | undefined {
    return claimName(`${PREFIX}${this.#interfaceName}/lock`);
  }

  #hold(what: string): void {
    const giveBack = claimName(`${PREFIX}${this.#interfaceName}/${this.#id}/${what}`);
    if (giveBack !== undefined) this.#held.push(giveBack);
  }

  /** Addresses at which another process answers DNS. */
  #strangers(): ReadonlySet<Ip> {
    const own = ownSocketInodes();
    const foreign = boundSockets().filter(({ port, inode }) => port === this.#dnsPort && !own.has(inode));
    return new Set(foreign.map(({ ip }) => ip));
  }
}
