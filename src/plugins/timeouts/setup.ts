/** `timeouts { read|write|idle DURATION; maxtcpqueries N }`: bounds of TCP and DoT connections, kept by the server. */
import type { OptionLine, Token } from '../../corefile/ast.ts';
import type { ListenerTimeouts } from '../../server/listener-options.ts';
import type { Setup } from '../contract.ts';
import {
  expectArgs,
  formatDuration,
  integerArg,
  onlyArg,
  onlyDirective,
  parseDurationMs,
  wrongDirective,
} from '../directive.ts';

const SHORTEST_MS = 1000;
const LONGEST_MS = 24 * 3_600_000;
const MOST_QUERIES = 2 ** 31 - 1;
const OPTIONS: readonly string[] = ['read', 'write', 'idle', 'maxtcpqueries'];

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  expectArgs('timeouts', directive, 0);
  const options = directive.body ?? [];
  if (options.length === 0) {
    throw wrongDirective('timeouts', directive.name, 'timeouts block with no timeouts specified', {
      hint: `The options are: ${OPTIONS.join(', ')}`,
    });
  }
  return { timeouts: Object.assign({}, ...options.map(boundOf)) };
};

function boundOf(option: OptionLine): ListenerTimeouts {
  switch (option.name.text) {
    case 'read':
      return { readMs: durationOf(onlyArg('timeouts', option)) };
    case 'write':
      return { writeMs: durationOf(onlyArg('timeouts', option)) };
    case 'idle':
      return { idleMs: durationOf(onlyArg('timeouts', option)) };
    case 'maxtcpqueries': {
      const token = onlyArg('timeouts', option);
      return { maxTcpQueries: integerArg('timeouts', token, { min: 0, max: MOST_QUERIES }) };
    }
    default:
      throw wrongDirective('timeouts', option.name, `unknown option: '${option.name.text}'`, {
        code: 'PLUGIN_UNKNOWN_OPTION',
        hint: `The options are: ${OPTIONS.join(', ')}`,
      });
  }
}

/** Here, and only here, a bare number is seconds (dns-server 10 item 1). */
function durationOf(token: Token): number {
  const ms = parseDurationMs(/^\d+$/.test(token.text) ? `${token.text}s` : token.text);
  if (ms === undefined) {
    throw wrongDirective('timeouts', token, `failed to parse duration '${token.text}'`);
  }
  if (ms >= SHORTEST_MS && ms <= LONGEST_MS) return ms;
  const reason = `timeout provided '${formatDuration(ms)}' needs to be between 1 second and 24 hours`;
  throw wrongDirective('timeouts', token, reason);
}
