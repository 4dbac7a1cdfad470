/** Test support: Hubble's API asked by gRPC's own library for Python, which shares no code with ours; `interop.py` is its end. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Debian's packages are for its own Python, whatever other is ahead in the path. */
export const PYTHON = '/usr/bin/python3';
export const INTEROP_SCRIPT = fileURLToPath(new URL('./interop.py', import.meta.url));
const PROTOS = fileURLToPath(new URL('../proto', import.meta.url));
const FILES = ['flow/flow', 'relay/relay', 'observer/observer', 'peer/peer', 'health/health'].map(
  (name) => `${name}.proto`,
);

/** Answers by question. */
export type Answers = Readonly<Record<string, unknown>>;

/** Writes the library's code for our protos to `directory`; returns the environment in which the script finds it. */
export function generatePython(directory: string): NodeJS.ProcessEnv {
  const generated = join(directory, 'generated');
  mkdirSync(generated);
  execFileSync('protoc', [
    ...['-I', PROTOS, `--python_out=${generated}`, `--grpc_python_out=${generated}`],
    ...['--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin', ...FILES],
  ]);
  return { ...process.env, PYTHONPATH: generated, PYTHONDONTWRITEBYTECODE: '1' };
}

/** `files`: authorities, certificate and key, for TLS. `within`: a command that runs others elsewhere, as nsenter does. */
export async function askPython(
  env: NodeJS.ProcessEnv,
  target: string,
  {
    files = [],
    within = [],
  }: { readonly files?: readonly string[]; readonly within?: readonly string[] } = {},
): Promise<Answers> {
  const [command = PYTHON, ...args] = [...within, PYTHON, INTEROP_SCRIPT, 'ask', target, ...files];
  const { stdout } = await promisify(execFile)(command, args, { env });
  const lines = stdout.trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => JSON.parse(line)).map(({ question, answer }) => [question, answer]),
  );
}
