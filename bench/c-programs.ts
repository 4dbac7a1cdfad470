/** Compiles the C programs of the benchmark, once per run, into a folder that the caller removes. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const NAMES = ['echo', 'authority', 'pace', 'drain', 'exchange', 'flight', 'stream'] as const;
export type CProgram = (typeof NAMES)[number];

/** Paths of the programs. Throws with the compiler's words. */
export function compilePrograms(directory: string): Readonly<Record<CProgram, string>> {
  const compile = (name: CProgram): string => {
    const program = join(directory, name);
    const source = join(import.meta.dirname, 'c', `${name}.c`);
    execFileSync('gcc', ['-O2', '-pthread', '-o', program, source], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return program;
  };
  return {
    echo: compile('echo'),
    authority: compile('authority'),
    pace: compile('pace'),
    drain: compile('drain'),
    exchange: compile('exchange'),
    flight: compile('flight'),
    stream: compile('stream'),
  };
}
