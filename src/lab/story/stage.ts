/** What an act is given, and the way it speaks. */
import { styleText } from 'node:util';
import type { CachePod } from '../../flow/verdict.ts';
import { execInPod } from '../exec.ts';
import type { Lab } from '../up.ts';
import type { FlowTap } from './flow-tap.ts';

export interface Stage {
  readonly lab: Lab;
  readonly tap: FlowTap;
  readonly caches: readonly CachePod[];
  readonly stop: AbortSignal;
  readonly say: (text?: string) => void;
}

/** Resolves with what the act failed to show: empty when it showed everything. */
export type Act = (stage: Stage) => Promise<readonly string[]>;

export const CLIENT = 'default/netshoot';

export function heading(text: string): string {
  return `\n${styleText('bold', text)}`;
}

export function command(text: string): string {
  return styleText('cyan', `$ ${text}`);
}

export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

/** Runs a command in a pod and gives what it printed, stdout and stderr together. */
export function outputInPod(pod: string, words: readonly string[]): Promise<string> {
  const child = execInPod(pod, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let text = '';
  const take = (chunk: Buffer) => {
    text += chunk.toString('utf8');
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(text.trim()));
  });
}

export interface DigAnswer {
  readonly text: string;
  readonly status: string;
  readonly addresses: readonly string[];
  readonly server: string;
}

export async function dig(name: string): Promise<DigAnswer> {
  const text = await outputInPod('netshoot', ['dig', '+time=2', '+tries=2', name]);
  return {
    text,
    status: /status: (\w+)/.exec(text)?.[1] ?? 'no answer',
    addresses: [...text.matchAll(/\sIN\sA\s+(\S+)$/gm)].map((match) => match[1] ?? ''),
    server: /;; SERVER: (\S+)/.exec(text)?.[1] ?? '',
  };
}

/** The lines of `dig` that a reader looks for. */
export function digSummary({ text }: DigAnswer): string {
  return text
    .split('\n')
    .filter((line) => /status:|^[^;].*\sIN\s|^;; (Query time|SERVER|communications)/.test(line))
    .join('\n');
}
