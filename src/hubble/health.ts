/**
 * gRPC's health service: clients ask it before anything else, and `hubble status` fails without it (spec hubble 6.6). The
 * names that answer are the server's own (empty), the one Hubble's clients ask for, the service's in `proto/`, and
 * what this server knows beyond Hubble.
 */
import { KERNEL_ANSWERED_NAME, NARROW_NAME } from './narrow.ts';

const SERVICES: readonly string[] = [
  '',
  'hubble.server.Observer',
  'observer.Observer',
  NARROW_NAME,
  KERNEL_ANSWERED_NAME,
];

export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

/** Whether a service of that name is here. */
export function isHealthService(service: string): boolean {
  return SERVICES.includes(service);
}

/** Serving until the server closes; then it is not, and that is the last that is said. */
export async function* watchHealth(
  service: string,
  signal: AbortSignal,
  closing: AbortSignal,
): AsyncGenerator<ServingStatus, void, void> {
  yield isHealthService(service) ? 'SERVING' : 'SERVICE_UNKNOWN';
  await aborted(AbortSignal.any([signal, closing]));
  if (closing.aborted && isHealthService(service)) yield 'NOT_SERVING';
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
