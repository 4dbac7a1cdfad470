/**
 * The doctor's process on one node, asked line by line. However it is reached (beside us, in the namespace of a node of the
 * lab, behind `kubectl exec`), it is a command that takes questions on its standard input. It is ended when it is closed,
 * and ends by itself when its input does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../../telemetry/clock.ts';
import { type Known, known, unknown } from '../site/known.ts';
import { within } from './deadline.ts';
import { MAX_LINE_BYTES, type NodeAnswer, type NodeQuestion, parseAnswer } from './node-protocol.ts';

export interface NodeReach {
  /** The node's name. */
  readonly node: string;
  /** `here`, `the lab`, `kubectl exec kube-system/zerohop-x7d2k`: shown to the user. */
  readonly how: string;
  /** Program and arguments. */
  readonly command: readonly string[];
}

export interface NodeProcess {
  /** One question at a time. Unknown when it takes longer, when the process ends, or answers something else. */
  ask<K extends NodeQuestion['kind']>(
    question: Extract<NodeQuestion, { readonly kind: K }>,
    ms: number,
  ): Promise<Known<Extract<NodeAnswer, { readonly kind: K }>>>;
  close(): void;
}

/** Of what a process says when it fails. */
const MAX_LAST_WORDS = 2000;

export function startNodeProcess({ command }: NodeReach, clock: Pick<Clock, 'after'>): NodeProcess {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  // It may end before it has read its question.
  child.stdin.on('error', () => undefined);
  const lines = readLines(child);
  return {
    async ask(question, ms) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const line = await within(clock, ms, () => lines.next());
      if (!('value' in line)) return line;
      if (!('value' in line.value)) return line.value;
      const answer = parseAnswer(line.value.value, question.kind);
      return answer === undefined ? unknown(strange(line.value.value)) : known(answer);
    },
    close() {
      child.stdin.end();
      child.kill('SIGTERM');
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
}

interface Lines {
  next(): Promise<Known<string>>;
}

function readLines(child: ChildProcess): Lines {
  const ready: Known<string>[] = [];
  const waiting: ((line: Known<string>) => void)[] = [];
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let words = '';
  let ended: Known<string> | undefined;
  const tell = (line: Known<string>) => {
    const next = waiting.shift();
    if (next === undefined) ready.push(line);
    else next(line);
  };
  const end = (why: string) => {
    ended ??= unknown(why);
    for (const next of waiting.splice(0)) next(ended);
  };
  child.stdout?.on('data', (chunk: Uint8Array) => {
    for (let rest = chunk; ; ) {
      const at = rest.indexOf(10);
      pieces.push(at < 0 ? rest : rest.subarray(0, at));
      bytes += pieces.at(-1)?.length ?? 0;
      if (bytes > MAX_LINE_BYTES) {
        end(`its answer is longer than ${MAX_LINE_BYTES} bytes`);
        child.stdout?.destroy();
        return;
      }
      if (at < 0) return;
      tell(known(Buffer.concat(pieces).toString('utf8')));
      pieces = [];
      bytes = 0;
      rest = rest.subarray(at + 1);
    }
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = `${words}${text}`.slice(-MAX_LAST_WORDS);
  });
  child.on('error', (error) => end(error.message));
  child.on('close', (code, signal) => end(lastWords(words, code, signal)));
  return {
    next: () => {
      const line = ready.shift() ?? ended;
      return line === undefined
        ? new Promise((resolve) => void waiting.push(resolve))
        : Promise.resolve(line);
    },
  };
}

/** An agent of another version answers in JSON that is not ours; a shell answers in words. */
function strange(line: string): string {
  return line.startsWith('{')
    ? 'its zerohop is of another version than this one'
    : `it answered something else: ${excerpt(line)}`;
}

function lastWords(text: string, code: number | null, signal: string | null): string {
  const said = text.trim().split('\n').at(-1) ?? '';
  const how = signal === null ? `exit code ${code}` : signal;
  return said === '' ? `it ended with ${how}` : `it ended with ${how}: ${excerpt(said)}`;
}

function excerpt(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
