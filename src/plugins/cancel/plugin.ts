/**
 * A deadline for everything behind it: the client then has SERVFAIL while its resolver still listens. What is under way
 * is not stopped, since other clients may wait for the same answer; it ends by its own timeouts, and finds nobody.
 */
import { RCODE } from '../../dns/codes.ts';
import type { Plugin, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';

export function cancelPlugin({ clock, timeoutMs }: { clock: Clock; timeoutMs: number }): Plugin {
  return (next) => (query) => {
    const reply = next(query);
    return reply instanceof Promise ? within(reply) : reply;
  };

  function within(reply: Promise<Reply>): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const timer = clock.after(timeoutMs, () =>
      resolve({ rcode: RCODE.SERVFAIL, error: new Error('context deadline exceeded') }),
    );
    reply.finally(() => timer.cancel()).then(resolve, reject);
    return promise;
  }
}
