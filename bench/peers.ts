/**
 * What the benchmark needs of Debian: the programs that are compared with, and those that ask. Installed when absent, with a
 * line that says what and why; where that cannot be, a line says what is left out, and the rest is measured.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export type Program = 'gcc' | 'dnsperf' | 'unbound' | 'dnsdist';

interface Package {
  /** Absolute paths and programs; all must be there. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
  readonly why: string;
}

const PACKAGES: Readonly<Record<Program, Package>> = {
  gcc: {
    files: ['gcc', '/usr/include/stdio.h'],
    packages: ['gcc', 'libc6-dev'],
    why: 'compiles the upstream, the echo and the load generator',
  },
  dnsperf: { files: ['dnsperf'], packages: ['dnsperf'], why: 'asks as fast as it is answered' },
  unbound: { files: ['unbound'], packages: ['unbound'], why: 'is compared with: a resolver cache in C' },
  dnsdist: { files: ['dnsdist'], packages: ['dnsdist'], why: 'is compared with: a packet cache in C++' },
};
const PROGRAMS = Object.keys(PACKAGES) as readonly Program[];
/** A package manager asks nobody here. */
const APT_ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const APT_LIMIT_MS = 120_000;

/** Those that are here, after what was missing has been installed as far as that is possible. */
export function providePrograms(): ReadonlySet<Program> {
  const missing = PROGRAMS.filter((program) => !isHere(program));
  if (missing.length > 0) install(missing);
  const here = new Set(PROGRAMS.filter(isHere));
  for (const program of PROGRAMS) {
    if (!here.has(program)) console.log(`Left out: what needs ${program}, which ${PACKAGES[program].why}`);
  }
  return here;
}

function install(missing: readonly Program[]): void {
  if (findFile('apt-get') === undefined) {
    console.log('Cannot install packages: there is no apt-get');
    return;
  }
  for (const program of missing) {
    const { packages, why } = PACKAGES[program];
    console.log(`Installing ${packages.join(', ')}: ${program} ${why}`);
  }
  const names = missing.flatMap((program) => PACKAGES[program].packages);
  // Debian starts what it installs as a service; the benchmark starts its own, and another would disturb it.
  const arguments_ = [
    'install',
    '-qq',
    '-y',
    '--no-install-recommends',
    '-o',
    'DPkg::Options::=--force-confold',
  ];
  for (const words of [
    ['update', '-qq'],
    [...arguments_, ...names],
  ]) {
    const { status, stderr } = spawnSync('apt-get', words, {
      env: APT_ENV,
      encoding: 'utf8',
      timeout: APT_LIMIT_MS,
    });
    if (status === 0) continue;
    console.log(`Cannot run apt-get ${words[0]}: ${stderr.trim() || `exit code ${status}`}`);
    return;
  }
}

function isHere(program: Program): boolean {
  return PACKAGES[program].files.every((file) => findFile(file) !== undefined);
}

function findFile(name: string): string | undefined {
  if (name.startsWith('/')) return existsSync(name) ? name : undefined;
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find(existsSync);
}
