/** An end for everything the doctor waits for: what is late becomes unknown, and says so. */
import { errorText } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { type Known, known, unknown } from '../site/known.ts';

export const TOO_LONG = 'it took too long';

/** What the work came to within `ms`; the work is told to stop by its signal, and not waited for when it does not. */
export async function within<T>(
  clock: Pick<Clock, 'after'>,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Known<T>> {
  const abort = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<Known<T>>();
  const timer = clock.after(Math.max(0, ms), () => {
    resolve(unknown(TOO_LONG));
    abort.abort();
  });
  const done = Promise.resolve()
    .then(() => work(abort.signal))
    .then(
      (value): Known<T> => known(value),
      (error: unknown): Known<T> => unknown(abort.signal.aborted ? TOO_LONG : errorText(error)),
    );
  try {
    return await Promise.race([done, late]);
  } finally {
    timer.cancel();
    abort.abort();
  }
}
