/** What pods ask in the faults that live in packets: by the C library, by dig, and by a burst from one port. */
import { fileURLToPath } from 'node:url';
import type { DoctorLab } from './doctor-lab.ts';
import { CLIENT } from './fault.ts';

const SENDER = fileURLToPath(new URL('./send-queries.mjs', import.meta.url));

/** As a program in the pod would, so many times: names of the outside with glibc's search list, A and AAAA from one port. */
export async function lookUp(lab: DoctorLab, times: number): Promise<void> {
  const { status, text } = await lab.inPod(
    CLIENT,
    ...['sh', '-c', `for i in $(seq ${times}); do getent ahosts www.google.com || exit 1; done`],
  );
  if (status !== 0) throw new Error(`The lookup failed: ${text}`);
}

export interface Burst {
  readonly server: string;
  readonly name: string;
  readonly count: number;
  readonly waitMs?: number;
}

/** How many were answered. */
export async function sendBurst(
  lab: DoctorLab,
  { server, name, count, waitMs = 3000 }: Burst,
): Promise<number> {
  const words = [process.execPath, SENDER, server, name, String(count), String(waitMs)];
  const { text } = await lab.inPod(CLIENT, ...words);
  const answered = /answered (\d+)/.exec(text)?.[1];
  if (answered === undefined) throw new Error(`Nothing was sent: ${text}`);
  return Number(answered);
}
