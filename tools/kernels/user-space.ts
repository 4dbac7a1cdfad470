/**
 * What runs on top of a kernel: programs of this machine with the libraries they need, the pinned Node, the repository's
 * sources with their types stripped (stripping under emulation takes longer than running), and few npm packages.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import type { TreeEntry } from './cpio.ts';

/** Programs that the tests of the datapath start; the rest is busybox. */
const PROGRAMS = [
  'ip',
  'tc',
  'nft',
  'dig',
  'nsenter',
  'sysctl',
  'tcpdump',
  'bridge',
  'iptables-nft',
  'ip6tables-nft',
];
/** iptables looks for its matches by name at run time. */
const PLUGIN_FOLDERS = ['/usr/lib/x86_64-linux-gnu/xtables'];
/** What the tests import, and what that imports; browsers' and builders' parts of them are never loaded. */
const PACKAGES = [
  ...['koffi', '@koromix/koffi-linux-x64', 'pino', 'prom-client', 'undici', 'yaml', 're2js', 'commander'],
  ...[
    'fast-check',
    'pure-rand',
    'vitest',
    '@vitest/spy',
    'chai',
    'assertion-error',
    'tinybench',
    'expect-type',
    'vite',
  ],
];
const PACKAGE_FILES = /\.(?:js|mjs|cjs|node|json)$/;
/** Where the repository lies in the guest. */
export const GUEST_ROOT = 'zerohop';

export function buildUserSpace(root: string): readonly TreeEntry[] {
  const entries = new Map<string, TreeEntry>();
  const add = (entry: TreeEntry) => entries.set(entry.path, entry);
  for (const directory of ['proc', 'sys', 'dev', 'tmp', 'run', 'root', 'var/tmp'])
    add({ path: directory, directory: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) add({ path: name, linkTo: `usr/${name}` });
  add({ path: 'usr/sbin', linkTo: 'bin' });
  add({ path: 'usr/lib64', linkTo: 'lib' });
  addProgram(add, '/bin/busybox', 'busybox');
  addProgram(add, join(root, 'node_modules/node/bin/node'), 'node');
  for (const name of PROGRAMS) {
    const path = findProgram(name);
    if (path !== undefined) addProgram(add, path, name);
  }
  addPlugins(add);
  for (const entry of [...sources(root), ...packages(root), ...settings(root)]) add(entry);
  return [...entries.values()];
}

type Add = (entry: TreeEntry) => void;

function addProgram(add: Add, file: string, name: string): void {
  add({ path: `usr/bin/${name}`, content: readFileSync(file), executable: true });
  addLibraries(add, file);
}

/** All libraries lie in one folder that the loader looks into on every distribution with this loader. */
function addLibraries(add: Add, file: string): void {
  for (const library of librariesOf(lddOutput(file))) {
    const name = library.slice(library.lastIndexOf('/') + 1);
    add({ path: `usr/lib/${name}`, content: readFileSync(library), executable: true });
  }
}

/** The absolute paths in what ldd prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, and the loader itself. */
export function librariesOf(output: string): readonly string[] {
  return Array.from(output.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm), ([, path = '']) => path);
}

/** Says nothing for a static program, and exits with 1. */
function lddOutput(file: string): string {
  try {
    return execFileSync('ldd', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

function addPlugins(add: Add): void {
  for (const folder of PLUGIN_FOLDERS) {
    for (const file of globSync(join(folder, '*.so'))) {
      add({ path: file.slice(1), content: readFileSync(file), executable: true });
    }
  }
  for (const [link, target] of [
    ['iptables', 'iptables-nft'],
    ['ip6tables', 'ip6tables-nft'],
  ] as const) {
    add({ path: `usr/bin/${link}`, linkTo: target });
  }
}

function findProgram(name: string): string | undefined {
  const found = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
  return found === undefined ? undefined : realpathSync(found);
}

function sources(root: string): readonly TreeEntry[] {
  const files = globSync('{src,test/kernels}/**/*.{ts,mjs,sh}', { cwd: root });
  return [...files, 'package.json'].map((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const code = file.endsWith('.ts') ? stripped(text) : text;
    return {
      path: `${GUEST_ROOT}/${file}`,
      content: new TextEncoder().encode(code),
      executable: file.endsWith('.sh'),
    };
  });
}

/** A file that somebody is in the middle of writing goes as it is: only a test that needs it will miss it. */
function stripped(text: string): string {
  try {
    return stripTypeScriptTypes(text);
  } catch {
    return text;
  }
}

function packages(root: string): readonly TreeEntry[] {
  return PACKAGES.flatMap((name) => {
    const folder = `node_modules/${name}`;
    const files = globSync(`${folder}/**/*`, { cwd: root }).filter(
      (file) =>
        PACKAGE_FILES.test(file) &&
        !/\/(?:musl_x64|vendor)\//.test(file) &&
        statSync(join(root, file)).isFile(),
    );
    return files.map((file) => ({
      path: `${GUEST_ROOT}/${file}`,
      content: readFileSync(join(root, file)),
      executable: file.endsWith('.node'),
    }));
  });
}

function settings(root: string): readonly TreeEntry[] {
  const text = (path: string, content: string): TreeEntry => ({
    path,
    content: new TextEncoder().encode(content),
    executable: false,
  });
  return [
    { path: 'init', content: readFileSync(join(root, 'test/kernels/guest/init.sh')), executable: true },
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\ntcpdump:x:100:100::/:/bin/false\n'),
    text('etc/group', 'root:x:0:\ntcpdump:x:100:\n'),
    text('etc/hosts', '127.0.0.1 localhost\n::1 localhost\n'),
    text('etc/nsswitch.conf', 'hosts: files\n'),
    text('etc/resolv.conf', ''),
    text('etc/protocols', 'icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\n'),
  ];
}
