/**
 * `zerohop doctor` as a user would run it in an act. It looks while the act goes on, and is shown at its end: of its report
 * the paragraph about the client's node, with the verdict over the client.
 */
import { spawn } from 'node:child_process';
import { zerohopCommand } from '../node/container.ts';
import { CLIENT, command, indent, type Stage } from './stage.ts';

const WORDS = ['doctor', '--pod', CLIENT];
const VERDICT = new RegExp(`^ *VERDICT +(\\w+) +${CLIENT} `, 'm');

/** Resolves with all that the doctor printed; never rejects. */
export function startDoctor(): Promise<string> {
  const [file = '', ...args] = zerohopCommand(WORDS);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(''));
    child.on('close', () => resolve(text));
  });
}

/** Shows it; resolves with what is wrong when it is not the verdict that is expected. */
export async function showDoctor(
  { say }: Stage,
  report: Promise<string>,
  expected: 'ENTERED' | 'BYPASSED',
): Promise<readonly string[]> {
  const paragraphs = (await report).split(/\n\n+/);
  const about = paragraphs.find((paragraph) => VERDICT.test(paragraph)) ?? '';
  const word = VERDICT.exec(about)?.[1];
  say(command(`npx zerohop ${WORDS.join(' ')}`));
  say(indent(about.trimEnd()));
  return word === expected ? [] : [`the doctor should have said ${expected}: ${word ?? 'it did not answer'}`];
}
