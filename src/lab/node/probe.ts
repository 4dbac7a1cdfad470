/** One HTTP probe of a pod, from the control node, as a kubelet asks. */
import { get } from 'node:http';

const PROBE_TIMEOUT_MS = 1_000;

/** True when the answer's status is 200 to 399 (what a kubelet calls success). */
export function probeReady(address: string, port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(
      { host: address, port, path, timeout: PROBE_TIMEOUT_MS, agent: false },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        resolve(status >= 200 && status < 400);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
