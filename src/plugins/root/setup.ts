/** `root PATH` is where relative paths of the block start. A directory that is missing may still come: it is a warning. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorCode, errorText } from '../../fault/app-error.ts';
import type { Setup } from '../contract.ts';
import { expectNoOptions, onlyArg, onlyDirective, wrongDirective } from '../directive.ts';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const path = onlyArg('root', directive);
  expectNoOptions('root', directive);
  const directory = resolve(host.directory, path.text);
  try {
    statSync(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') {
      throw wrongDirective('root', path, `unable to access root path '${path.text}': ${errorText(error)}`);
    }
    host.log.warning(`Root path does not exist: ${path.text}`);
  }
  return { directory };
};
