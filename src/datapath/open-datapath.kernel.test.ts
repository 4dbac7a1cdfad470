/** How opening fails: what the operator reads when the kernel, the permissions or the program are not right. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AppError } from '../fault/app-error.ts';
import { isBpffs } from '../sys/bpffs.ts';
import { systemClock } from '../telemetry/clock.ts';
import { loadPrograms } from './kernel/load-program.ts';
import type { ObjectSpec } from './kernel/object-spec.ts';
import { openDatapath, removeDatapath } from './open-datapath.ts';
import { silentLog } from './testing/test-network.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zh-test-open-'));
});

afterEach(() => {
  if (existsSync(directory)) rmdirSync(directory);
});

test('openDatapath mounts a bpffs where there is none, and remove takes it away', () => {
  const pinDirectory = join(directory, 'pins');
  const datapath = openDatapath({ pinDirectory, log: silentLog, clock: systemClock });
  expect(isBpffs(pinDirectory)).toBe(true);
  datapath.remove();
  expect(existsSync(pinDirectory)).toBe(false);
  datapath.remove();
});

test('a second datapath on the same pins is refused before it touches anything, and so is cleaning up', () => {
  const options = { pinDirectory: join(directory, 'pins'), log: silentLog, clock: systemClock };
  const first = openDatapath(options);
  const taken = expect.objectContaining({ code: 'DATAPATH_IN_USE' });
  expect(() => openDatapath(options)).toThrow(taken);
  expect(() => removeDatapath(options.pinDirectory)).toThrow(taken);
  first.close();
  openDatapath(options).close();
  removeDatapath(options.pinDirectory);
  expect(existsSync(options.pinDirectory)).toBe(false);
});

test('a place where no directory can be made is refused at once', () => {
  const pinDirectory = '/proc/zerohop-test';
  expect(() => openDatapath({ pinDirectory, log: silentLog, clock: systemClock })).toThrow(
    /^Cannot make the directory \/proc\/zerohop-test: ENOENT/,
  );
});

test('removeDatapath leaves a directory alone that is on no bpffs, and says when there is none', () => {
  const pins = join(directory, 'abi-1');
  mkdirSync(pins);
  const refused = expect.objectContaining({ code: 'DATAPATH_NOT_PINS' });
  expect(() => removeDatapath(directory)).toThrow(refused);
  expect(existsSync(pins)).toBe(true);
  rmdirSync(pins);
  expect(removeDatapath(join(directory, 'absent'))).toBe(false);
});

test('removing leaves a bpffs that others have pins on', () => {
  const pinDirectory = join(directory, 'pins');
  const datapath = openDatapath({ pinDirectory, log: silentLog, clock: systemClock });
  mkdirSync(join(pinDirectory, 'somebody-else'));
  datapath.remove();
  expect(readdirSync(pinDirectory)).toContain('somebody-else');
  rmdirSync(join(pinDirectory, 'somebody-else'));
  expect(removeDatapath(pinDirectory)).toBe(true);
  expect(existsSync(pinDirectory)).toBe(false);
});

test('openDatapath without privileges says what is needed', () => {
  const script = `
    import { openDatapath } from '${join(import.meta.dirname, 'open-datapath.ts')}';
    import { systemClock } from '${join(import.meta.dirname, '../telemetry/clock.ts')}';
    const log = { info() {}, warning() {}, error() {} };
    try { openDatapath({ pinDirectory: '${directory}', log, clock: systemClock }); }
    catch (error) { console.log(error.code, error.message, '|', error.hint); }`;
  const dropped = [
    '--bounding-set',
    '-all',
    '--inh-caps',
    '-all',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ];
  const { stdout } = spawnSync('setpriv', dropped, { encoding: 'utf8' });
  expect(stdout).toMatch(/^SYS_CALL_FAILED Cannot mount a bpffs on .*: EPERM \| Run as root/);
});

describe('loadPrograms', () => {
  /** Instructions of 8 bytes: opcode, registers, 16-bit offset, 32-bit immediate. */
  const objectOf = (instructions: readonly (readonly [number, number])[]): ObjectSpec => {
    const bytes = Buffer.alloc(instructions.length * 8);
    instructions.forEach(([opcode, immediate], i) => {
      bytes.writeUInt8(opcode, i * 8);
      bytes.writeInt32LE(immediate, i * 8 + 4);
    });
    const program = { instructions: bytes.toString('base64'), relocations: [] };
    const rodata = Buffer.alloc(8).toString('base64');
    return { sourceHash: '', license: 'GPL', rodata, globals: {}, maps: {}, programs: { bad: program } };
  };
  const CALL = 0x85;
  const EXIT = 0x95;
  const load = (object: ObjectSpec): AppError => {
    try {
      loadPrograms({ object, maps: new Map(), globals: {} });
    } catch (error) {
      return error as AppError;
    }
    throw new Error('The kernel took it');
  };

  test("shows the verifier's last words", () => {
    const error = load(objectOf([[EXIT, 0]]));
    expect(error.code).toBe('DATAPATH_PROGRAM_REFUSED');
    expect(error.message).toMatch(/^Cannot load program bad: EACCES\n\(\d+ lines omitted\)\n/);
    expect(error.message).toContain('R0 !read_ok');
  });

  test('shows them for a helper that no kernel has', () => {
    const error = load(
      objectOf([
        [CALL, 9999],
        [EXIT, 0],
      ]),
    );
    expect(error.message).toContain('unknown#9999');
  });
});
