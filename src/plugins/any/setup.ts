/** `any` takes nothing and may stand once in a block. */
import { TYPE } from '../../dns/codes.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, expectNoOptions, onlyDirective } from '../directive.ts';
import { any } from './plugin.ts';

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  expectArgs('any', directive, 0);
  expectNoOptions('any', directive);
  return { plugin: any, handles: (_name, type) => type === TYPE.ANY, replay: { does: 'nothing' } };
};
