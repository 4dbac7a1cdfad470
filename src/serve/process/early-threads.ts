/** The packet threads load their code while the main thread still reads its configuration: whichever is slower decides. */
import { startEarlyWorkers } from '../../packet/early-worker.ts';
import { ANSWERER } from '../hot/answerer-module.ts';
import type { UdpSettings } from '../hot/hot-answers.ts';

/** Once the flags are known to be right. */
export function startEarlyThreads({ threads }: UdpSettings): void {
  if (threads > 0) startEarlyWorkers(threads, ANSWERER);
}
