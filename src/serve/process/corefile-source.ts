/**
 * Where the Corefile comes from (dns-server 1.8): a file, a pipe, or nowhere, which means a server that tells clients who
 * they are. A pipe can be read once; a reload sees the same text again.
 */
import { readFileSync } from 'node:fs';
import type { Corefile } from '../../corefile/ast.ts';
import { parseCorefile } from '../../corefile/parser.ts';
import { AppError, errorCode, errorText } from '../../fault/app-error.ts';
import { KNOWN_WORDS } from '../../plugins/order.ts';
import { filesMatching } from './wildcard.ts';

export interface CorefileSourceOptions {
  /** As given to `-conf`: a path, `stdin`, or empty for `Corefile` in the working directory. */
  readonly conf: string;
  readonly defaultPort: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_FILE = 'Corefile';
const STDIN_FD = 0;
/** What Go says it failed at, and why: a directory opens and does not read. */
const GO_WORDS: Readonly<Record<string, readonly [verb: string, reason: string]>> = {
  ENOENT: ['open', 'no such file or directory'],
  EACCES: ['open', 'permission denied'],
  EISDIR: ['read', 'is a directory'],
};

export class CorefileSource {
  readonly #options: CorefileSourceOptions;
  #piped: string | undefined;

  constructor(options: CorefileSourceOptions) {
    this.#options = options;
  }

  /** Reads and parses anew. Throws an `AppError`. */
  load(): Corefile {
    return parseCorefile(this.#text(), {
      file: this.#options.conf === '' ? DEFAULT_FILE : this.#options.conf,
      env: this.#options.env,
      knownPlugins: KNOWN_WORDS,
      sources: {
        readFile: (path) => readFileSync(path, 'utf8'),
        glob: filesMatching,
      },
    });
  }

  #text(): string {
    const { conf, defaultPort } = this.#options;
    if (conf === 'stdin') {
      this.#piped ??= readFileSync(STDIN_FD, 'utf8');
      return this.#piped;
    }
    const text = readText(conf);
    return text.trim() === '' ? `.:${defaultPort} {\nwhoami\nlog\n}\n` : text;
  }
}

/** Only a file that was not asked for may be missing. */
function readText(conf: string): string {
  try {
    return readFileSync(conf === '' ? DEFAULT_FILE : conf, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (conf === '' && code === 'ENOENT') return '';
    const [verb, reason] = GO_WORDS[code ?? ''] ?? ['open', errorText(error)];
    throw new AppError(
      'SERVE_COREFILE_UNREADABLE',
      `loading Caddyfile via flag: ${verb} ${conf === '' ? DEFAULT_FILE : conf}: ${reason}`,
      { cause: error },
    );
  }
}
