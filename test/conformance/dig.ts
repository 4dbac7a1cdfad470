/** Asks with `dig` and reads what it prints. */
import { execFile } from 'node:child_process';

export interface Seen {
  /** `NOERROR`, …; `NOTHING` when no reply came. */
  readonly status: string;
  readonly flags: readonly string[];
  /** Lines of `ANSWER`, `AUTHORITY`, `ADDITIONAL` and of the OPT pseudo section, blanks made single. */
  readonly sections: Readonly<Record<string, readonly string[]>>;
  /** Length of the reply on the wire; 0 when none came. */
  readonly bytes: number;
  /** As printed, for people. */
  readonly text: string;
}

/** Later arguments win: what a case says overrides these. A server may take four seconds by itself to give up. */
const QUIET =
  '+noedns +nocookie +tries=1 +time=15 +noall +comments +stats +answer +authority +additional'.split(' ');

/** `words` are dig's; the server is 127.0.0.1 unless they name one. */
export function runDig(words: string, port: number): Promise<Seen> {
  const args = words.trim().split(/\s+/);
  const server = args.some((arg) => arg.startsWith('@')) ? [] : ['@127.0.0.1'];
  const places = args.includes('-p') ? [] : ['-p', String(port)];
  return new Promise((resolve, reject) => {
    execFile('dig', [...server, ...places, ...QUIET, ...args], { timeout: 20_000 }, (error, stdout) => {
      // 9: no reply; also what a server closes without a word over TCP.
      if (error !== null && error.code !== 9) reject(new Error(`dig ${words}: ${stdout}${error.message}`));
      else resolve(readReply(stdout));
    });
  });
}

function readReply(text: string): Seen {
  const status = /status: (\w+)/.exec(text)?.[1];
  if (status === undefined) return { status: 'NOTHING', flags: [], sections: {}, bytes: 0, text };
  const flags = /^;; flags: ([^;]*);/m.exec(text)?.[1]?.trim() ?? '';
  const sections: Record<string, string[]> = {};
  let current = '';
  for (const line of text.split('\n')) {
    const heading = /^;; (\w+) (?:PSEUDO)?SECTION:/.exec(line)?.[1];
    if (heading !== undefined) current = heading;
    else if (line.trim() === '' || line.startsWith(';;')) current = '';
    else if (current !== '') sections[current] = [...(sections[current] ?? []), plain(line)];
  }
  const bytes = Number(/^;; MSG SIZE +rcvd: (\d+)/m.exec(text)?.[1] ?? 0);
  return { status, flags: flags === '' ? [] : flags.split(/\s+/), sections, bytes, text };
}

function plain(line: string): string {
  return line.replace(/^; /, '').trim().replace(/\s+/g, ' ');
}
