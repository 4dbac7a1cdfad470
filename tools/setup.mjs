// Installs what is missing and says what and why: npm packages when they are absent or not those of the lockfile, Debian
// packages only when the program they bring is absent. Runs under Node 20, with nothing installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const STAMP = join(ROOT, 'node_modules', '.zerohop-lockfile');

/** Program or absolute path, the Debian package that brings it, and what for. */
export const STORY_TOOLS = [
  ['ip', 'iproute2', 'makes the namespaces and links of the lab'],
  ['nft', 'nftables', 'stands in for kube-proxy in the lab'],
  ['openssl', 'openssl', "makes the certificates of the lab's API server"],
  ['hostname', 'hostname', 'names the pods of the lab'],
  ['dig', 'bind9-dnsutils', 'asks the questions'],
];
export const TEST_TOOLS = [
  ...STORY_TOOLS,
  ['kubectl', 'kubernetes-client', "talks to the lab's API server as users do"],
  ['kdig', 'knot-dnsutils', 'asks over TLS'],
  ['sysctl', 'procps', 'makes routers of the namespaces of tests'],
  ['gcc', 'gcc', 'compiles for musl-gcc'],
  ['musl-gcc', 'musl-tools', 'brings the resolver that programs in Alpine images have'],
  ['unbound', 'unbound', 'is the upstream whose answers are not ours'],
  ['nsd', 'nsd', 'serves the same zone files, as judge of our answers, and takes zones from us'],
  ['tcpdump', 'tcpdump', 'sees with other eyes what is on the wire'],
  ['ethtool', 'ethtool', 'switches checksum and segmentation offload of test interfaces off and on'],
  ['protoc', 'protobuf-compiler', "makes Python of the messages of Hubble's API"],
  ['grpc_python_plugin', 'protobuf-compiler-grpc', "makes Python of the services of Hubble's API"],
  [
    '/usr/include/google/protobuf/timestamp.proto',
    'libprotobuf-dev',
    "has the messages that those of Hubble's API are made of",
  ],
  [
    '/usr/lib/python3/dist-packages/grpc/__init__.py',
    'python3-grpcio',
    "speaks Hubble's API with a gRPC that is not ours",
  ],
  ['iptables', 'iptables', 'keeps the rules of the node cache, in both of its flavours'],
  ['chromium', 'chromium', 'opens the page of zerohop ui and works it as a person does'],
];

/** For those who change the C programs; users need none of it. */
export const BPF_TOOLS = [
  ['clang', 'clang', 'compiles the eBPF programs'],
  ['/usr/include/bpf/bpf_helpers.h', 'libbpf-dev', 'declares the helpers of the kernel'],
];

/** Exits with npm's code when it fails: without its packages nothing can run. */
export function installPackages() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  const pinned = join(ROOT, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(pinned) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  console.log('Installing npm packages (the pinned Node among them): npm ci');
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  if (!existsSync(pinned)) run('npm', ['rebuild', 'node', '--loglevel=error']);
  if (!existsSync(pinned)) {
    console.error('Cannot install the pinned Node: npm ran without the install script of the package "node"');
    process.exit(1);
  }
  writeFileSync(STAMP, wanted);
}

/** @param {string[][]} tools */
export function installTools(tools) {
  const missing = tools.filter(([program = '']) => !hasProgram(program));
  if (missing.length === 0) return;
  for (const [program, name, why] of missing)
    console.log(`Installing Debian package ${name}: ${program} ${why}`);
  if (!hasProgram('apt-get')) {
    console.error(
      `Cannot install ${missing.map(([, name]) => name).join(', ')}: there is no apt-get on this machine`,
    );
    process.exit(1);
  }
  const names = missing.map(([, name = '']) => name);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], environment);
  run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...names], environment);
}

/** @param {string} name */
function hasProgram(name) {
  if (name.startsWith('/')) return existsSync(name);
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((directory) => existsSync(join(directory, name)));
}

/**
 * Output is shown only when the command fails: a package manager's chatter is nobody's news.
 * @param {string} file
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function run(file, args, env = process.env) {
  const { status, error, stdout, stderr } = spawnSync(file, args, { cwd: ROOT, env, encoding: 'utf8' });
  if (status === 0) return;
  console.error(
    `${stdout ?? ''}${stderr ?? ''}Cannot run ${[file, ...args].join(' ')}: ${error?.message ?? `exit code ${status}`}`,
  );
  process.exit(1);
}
