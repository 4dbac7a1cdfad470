/** `health [ADDRESS] { lameduck DURATION }`: says OK for as long as the process lives, and waits before it goes. */
import type { OptionLine } from '../../corefile/ast.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Setup } from '../contract.ts';
import {
  durationFault,
  expectArgs,
  formatDuration,
  onlyArg,
  onlyDirective,
  parseDurationMs,
  unknownProperty,
  wrongDirective,
} from '../directive.ts';
import { httpGet } from './http-get.ts';
import { startSelfCheck } from './self-check.ts';

const DEFAULT_ADDRESS = ':8080';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const [token] = expectArgs('health', directive, 0, 1);
  const address = token?.text ?? DEFAULT_ADDRESS;
  if (token !== undefined && !/:\d+$/.test(address)) {
    throw wrongDirective('health', token, `address ${address}: missing port in address`);
  }
  const lameduckMs = (directive.body ?? []).map(lameduckOf).at(-1) ?? 0;
  let stopCheck: (() => void) | undefined;
  host.http(address, '/health', () => ({ status: 200, body: 'OK' }));
  return {
    onStarted() {
      const url = `http://${address.startsWith(':') ? 'localhost' : ''}${address}/health`;
      stopCheck = startSelfCheck({
        url,
        clock: host.clock,
        log: host.log,
        metrics: host.metrics,
        get: httpGet,
      });
    },
    onShutdown: () => stopCheck?.(),
    async onFinalShutdown() {
      if (lameduckMs === 0) return;
      host.log.info(`Going into lameduck mode for ${formatDuration(lameduckMs)}`);
      await sleep(host.clock, lameduckMs);
    },
  };
};

function lameduckOf(option: OptionLine): number {
  if (option.name.text !== 'lameduck') throw unknownProperty('health', option.name, ['lameduck']);
  const value = onlyArg('health', option);
  const ms = parseDurationMs(value.text);
  if (ms !== undefined && ms >= 0) return ms;
  const reason = `unable to parse lameduck duration value: '${value.text}' : ${durationFault(value.text)}`;
  throw wrongDirective('health', value, reason);
}

/** The clock's timers do not keep a process alive; here the listeners, still open, do. */
function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
