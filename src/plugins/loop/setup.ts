/** `loop` takes nothing and may stand once in a block. Only the block's first zone is probed, as in CoreDNS. */
import { joinName, type Name, ROOT } from '../../dns/name.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, expectNoOptions, onlyDirective } from '../directive.ts';
import { loop, type Watch } from './plugin.ts';
import { reachable, startProbe } from './probe.ts';

export const setup: Setup = ({ directives, block, host }) => {
  const directive = onlyDirective(directives);
  expectArgs('loop', directive, 0);
  expectNoOptions('loop', directive);
  const zone = block.zones[0] ?? ROOT;
  const watch: Watch = { zone, qname: probeName(zone, host.random), listener: '', seen: 0, over: false };
  let stop: () => void = () => undefined;
  return {
    plugin: loop(watch, host.log),
    onStarted([listener]) {
      if (listener === undefined) return;
      const { text, target } = reachable(listener);
      watch.listener = text;
      stop = startProbe(target, {
        watch,
        clock: host.clock,
        randomId: () => Math.floor(host.random() * 0x1_0000),
      });
    },
    onShutdown: () => stop(),
  };
};

/** `R1.R2.ZONE`, two decimal numbers of 62 bits. A zone too long to prefix is probed under the root. */
function probeName(zone: Name, random: () => number): Name {
  const labels = [randomLabel(random), randomLabel(random)];
  return joinName(labels, zone) ?? joinName(labels, ROOT) ?? ROOT;
}

function randomLabel(random: () => number): string {
  const half = () => BigInt(Math.floor(random() * 2 ** 31));
  return String((half() << 31n) | half());
}
