/** A block's plugins to one handler. What stands behind the last plugin is a failure that names it (dns-server 2.4). */
import { RCODE } from '../dns/codes.ts';
import type { Handler, Plugin, Reply } from '../server/handler.ts';

export interface ChainLink {
  readonly word: string;
  readonly plugin: Plugin;
}

/** In the order of the chain; nothing when no plugin handles queries. */
export function composeChain(links: readonly ChainLink[]): Handler | undefined {
  const last = links.at(-1);
  if (last === undefined) return undefined;
  const nobody: Handler = () => ({
    rcode: RCODE.SERVFAIL,
    error: new Error(`plugin/${last.word}: no next plugin found`),
  });
  return links.reduceRight<Handler>((next, { plugin }) => plugin(next), nobody);
}

/** Counts what is under way, so that a reload ends a configuration only when its last query has been answered. */
export class InFlight {
  #count = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  track(handler: Handler): Handler {
    return (query) => {
      const reply = handler(query);
      if (!(reply instanceof Promise)) return reply;
      this.#count++;
      // Not `finally`, which makes three promises of one.
      return reply.then(this.#passed, this.#failed);
    };
  }

  whenIdle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  readonly #passed = (reply: Reply): Reply => {
    this.#settled();
    return reply;
  };

  readonly #failed = (error: unknown): never => {
    this.#settled();
    throw error;
  };

  #settled(): void {
    if (--this.#count > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
