/**
 * `observe agent-events` and `observe debug-events`: what a server answers is shown as JSON. Agents and relays of ours keep
 * none and say so; Cilium's agents do. A debug event is refused, as nothing here could read it.
 */
import { AppError } from '../../fault/app-error.ts';
import { DEFAULT_LAST } from '../../flow/flags/flows-request.ts';
import { escapeSteering } from '../../flow/print/escape.ts';
import { endOnClosedPipe, print, untilTold } from '../program.ts';
import { openFlowSource } from './flow-source.ts';
import type { TypedFlags } from './observe-program.ts';
import { chooseServer } from './server-flags.ts';

/** The largest number there is, as the stock client says it. */
const ALL = '18446744073709551615';

export async function printEvents(what: 'agent-events' | 'debug-events', flags: TypedFlags): Promise<void> {
  endOnClosedPipe();
  const source = await openFlowSource(chooseServer(flags, process.env), flags.node);
  const told = untilTold();
  try {
    const { client } = source;
    if (client === undefined)
      throw new AppError(
        'HUBBLE_UNSUPPORTED',
        `Cannot observe ${what}: several agents are here, and events are one node's: received no --node`,
        { hint: 'Name the node with --node' },
      );
    const { follow = false, last = 0, all = false } = flags;
    const number = all ? ALL : last === 0 && !follow ? DEFAULT_LAST : last;
    for await (const event of client.events(what, { number, follow }, told.signal))
      await print(`${escapeSteering(JSON.stringify(event))}\n`);
  } finally {
    told.forget();
    source.close();
  }
}
