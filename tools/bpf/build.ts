/** `npm run bpf`: compiles bpf/ with clang and writes the generated TypeScript modules. Developers only. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emitAbi, emitPrograms, emitUapi } from './emit.ts';
import { btfOf, decodeObject } from './object.ts';
import { BPF_DIRECTORY, bpfSourceHash } from './source-hash.ts';

const SOURCE = join(import.meta.dirname, '../../src');
const BENCH = join(import.meta.dirname, '../../bench');

/** cpu v3: 32-bit ALU and jumps, in every kernel from 5.1. */
const FLAGS = [
  '-O2',
  '-g',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-unused-parameter',
  '-mcpu=v3',
  '-target',
  'bpf',
];

function compile(name: string, directory: string, sources = BPF_DIRECTORY): Buffer {
  const output = join(directory, `${name}.o`);
  // Debian keeps asm/types.h in a directory that only a native compiler looks into.
  const include = `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  const arguments_ = [...FLAGS, include, '-c', join(sources, `${name}.bpf.c`), '-o', output];
  const { status, error } = spawnSync('clang', arguments_, { stdio: 'inherit' });
  if (error) throw new Error(`Cannot run clang: ${error.message}`);
  if (status !== 0) throw new Error(`Cannot compile ${name}.bpf.c`);
  return readFileSync(output);
}

const directory = mkdtempSync(join(tmpdir(), 'zerohop-bpf-'));

function write(file: string, text: string): void {
  writeFileSync(join(SOURCE, file), text);
}

function buildPrograms(name: string, constant: string, file: string, sources = BPF_DIRECTORY): void {
  const object = decodeObject(compile(name, directory, sources));
  write(file, emitPrograms(object, { constant, sourceHash: bpfSourceHash(sources) }));
  for (const program of object.programs)
    console.log(`${program.name}: ${program.instructions.length / 8} instructions`);
}

try {
  buildPrograms('pod', 'POD_OBJECT', 'datapath/kernel/programs.gen.ts');
  buildPrograms('drop', 'DROP_OBJECT', 'datapath/drops/programs.gen.ts');
  buildPrograms('socket', 'SOCKET_OBJECT', 'datapath/socket/programs.gen.ts');
  // What the benchmark compares with; nothing that is shipped has it.
  buildPrograms('floor', 'FLOOR_OBJECT', '../bench/answers/floor-program.gen.ts', join(BENCH, 'bpf'));
  write('datapath/kernel/abi.gen.ts', emitAbi(btfOf(compile('abi', directory))));
  write('datapath/socket/socket-abi.gen.ts', emitAbi(btfOf(compile('socket-abi', directory))));
  write('answermap/answer-abi.gen.ts', emitAbi(btfOf(compile('answer-abi', directory))));
  write('sys/uapi.gen.ts', emitUapi(btfOf(compile('uapi', directory))));
} finally {
  rmSync(directory, { recursive: true });
}
