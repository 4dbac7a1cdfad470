/** `bind` names the addresses that a block's listeners open instead of the wildcard. It has no part in the chain. */
import { networkInterfaces } from 'node:os';
import type { Directive, Token } from '../../corefile/ast.ts';
import type { Ip } from '../../net/ip.ts';
import type { Setup } from '../contract.ts';
import { wrongDirective } from '../directive.ts';
import { addressesOf, type InterfaceTable } from './addresses.ts';

export const setup: Setup = ({ directives }) => {
  const interfaces = networkInterfaces();
  return { listenOn: [...new Set(directives.flatMap((directive) => addressesFor(directive, interfaces)))] };
};

function addressesFor(directive: Directive, interfaces: InterfaceTable): readonly Ip[] {
  const { name, args, body = [] } = directive;
  if (args.length === 0) {
    throw wrongDirective('bind', name, 'at least one address or interface name is expected', {
      code: 'PLUGIN_ARGUMENT_COUNT',
    });
  }
  const excepted = new Set<Ip>();
  for (const option of body) {
    if (option.name.text !== 'except') {
      throw wrongDirective('bind', option.name, `invalid option ${JSON.stringify(option.name.text)}`, {
        code: 'PLUGIN_UNKNOWN_OPTION',
        hint: 'The only option is: except',
      });
    }
    if (option.args.length === 0) {
      throw wrongDirective('bind', option.name, 'at least one address or interface must be given to except');
    }
    for (const token of option.args) for (const ip of expand(token, interfaces)) excepted.add(ip);
  }
  return args.flatMap((token) => expand(token, interfaces)).filter((ip) => !excepted.has(ip));
}

function expand(token: Token, interfaces: InterfaceTable): readonly Ip[] {
  const addresses = addressesOf(token.text, interfaces);
  if (addresses !== undefined) return addresses;
  const reason = `not a valid IP address or interface name: ${JSON.stringify(token.text)}`;
  const names = Object.keys(interfaces).join(', ');
  throw wrongDirective('bind', token, reason, { hint: `The interfaces are: ${names}` });
}
