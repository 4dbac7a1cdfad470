/** Whether the client's names may be answered by the kernel: said by annotation, as an operator would, and waited for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WORKER_NODE } from '../topology.ts';
import { CLIENT, command, type Stage } from './stage.ts';

const ANNOTATION = 'zerohop.io/kernel-answers';
const PATIENCE_MS = 5_000;

/** Resolves when the kernel has it, or after five seconds: the act fails then by what it sees. */
export async function wishAnswers({ lab, say }: Stage, wish: 'deny' | 'as others'): Promise<void> {
  const [namespace = '', name = ''] = CLIENT.split('/');
  const words = wish === 'deny' ? `${ANNOTATION}=deny --overwrite` : `${ANNOTATION}-`;
  say(command(`kubectl --server ${lab.server} annotate pod ${name} ${words}`));
  await lab.api.annotatePod(namespace, name, { [ANNOTATION]: wish === 'deny' ? wish : null });
  for (let waited = 0; waited < PATIENCE_MS; waited += 5) {
    const { interfaces } = await lab.api.agent(WORKER_NODE).status();
    if (interfaces.find(({ pod }) => pod === CLIENT)?.answers === (wish !== 'deny')) return;
    await sleep(5);
  }
}
