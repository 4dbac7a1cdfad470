/** `loop` takes nothing and may stand once in a block. Only the block's first zone is probed, as in CoreDNS. */
import { randomBytes } from 'node:crypto';
import { TYPE } from '../../dns/codes.ts';
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
  const watch: Watch = { zone, qname: probeName(zone), listener: '', seen: 0, over: false };
  let stop: () => void = () => undefined;
  return {
    plugin: loop(watch, host.log),
    handles: (_name, type) => type === TYPE.HINFO,
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
function probeName(zone: Name): Name {
  const labels = [randomLabel(), randomLabel()];
  return joinName(labels, zone) ?? joinName(labels, ROOT) ?? ROOT;
}

/** Nobody may foretell the name: who asked for it three times would end the process. */
function randomLabel(): string {
  return String(randomBytes(8).readBigUInt64BE() >> 2n);
}
