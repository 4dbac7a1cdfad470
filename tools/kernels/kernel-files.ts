/**
 * A Debian kernel as files under our cache: the image, and the modules that the guest needs, decompressed. Downloaded
 * once per version.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { dependenciesOf, loadOrder, moduleName } from './modules.ts';
import { chooseKernel, filesOf, imageOf, META_PACKAGE } from './package-index.ts';
import type { PrivateApt } from './private-apt.ts';

export interface KernelFiles {
  /** Debian's version of the package. */
  readonly version: string;
  readonly image: string;
  /** In the order in which they must be loaded. */
  readonly modules: readonly { readonly name: string; readonly content: Uint8Array }[];
}

/** What tests of the datapath use of a kernel; one that is built in, or not known yet, is passed over. */
const WANTED_MODULES = [
  ...['veth', 'bridge', 'br_netfilter', 'dummy', 'ipvlan', 'macvlan', 'vxlan'],
  ...[
    'sch_ingress',
    'sch_fq_codel',
    'cls_bpf',
    'cls_matchall',
    'cls_u32',
    'cls_flower',
    'act_gact',
    'act_mirred',
  ],
  ...[
    'nf_conntrack',
    'nf_tables',
    'nft_chain_nat',
    'nft_nat',
    'nft_ct',
    'nft_masq',
    'nft_reject_inet',
    'nft_limit',
  ],
  ...[
    'nft_compat',
    'nft_counter',
    'nf_conntrack_netlink',
    'ip_tables',
    'ip6_tables',
    'iptable_filter',
    'iptable_nat',
  ],
  ...[
    'xt_tcpudp',
    'xt_comment',
    'xt_conntrack',
    'xt_mark',
    'xt_addrtype',
    'xt_nat',
    'xt_MASQUERADE',
    'xt_CT',
  ],
  ...['iptable_raw', 'tun', 'unix_diag', 'inet_diag', 'udp_diag', 'tcp_diag'],
];

/** Throws when no suite has such a kernel. */
export function fetchKernel(
  apt: PrivateApt,
  wanted: string,
  cache: string,
  say: (line: string) => void,
): KernelFiles {
  const meta = chooseKernel(apt.show([META_PACKAGE]), wanted);
  const imageName = meta && imageOf(meta);
  if (meta === undefined || imageName === undefined)
    throw new Error(`Cannot find a kernel: no suite has ${META_PACKAGE} of that version: received ${wanted}`);
  const { version } = meta;
  const directory = join(cache, version);
  if (!existsSync(directory)) {
    const image = apt.show([imageName]).find((stanza) => stanza.version === version);
    if (image === undefined) throw new Error(`Cannot find a kernel: no suite has ${imageName} ${version}`);
    say(`downloading Linux ${version}`);
    unpack(
      apt,
      filesOf(image).map((name) => ({ name, version })),
      directory,
    );
  }
  return readKernel(version, directory);
}

/** All or nothing: a directory with the final name is whole. */
function unpack(
  apt: PrivateApt,
  packages: readonly { name: string; version: string }[],
  directory: string,
): void {
  const partial = `${directory}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(join(partial, 'root'), { recursive: true });
  apt.download(packages, join(partial, 'packages'));
  for (const file of globSync(join(partial, 'packages/*.deb')))
    execFileSync('dpkg-deb', ['-x', file, join(partial, 'root')]);
  rmSync(join(partial, 'packages'), { recursive: true });
  renameSync(partial, directory);
}

function readKernel(version: string, directory: string): KernelFiles {
  const [image] = globSync(join(directory, 'root/{boot,usr/lib/modules/*}/vmlinuz*'));
  if (image === undefined) throw new Error(`Cannot use Linux ${version}: its packages have no image`);
  const paths = new Map(
    globSync(join(directory, 'root/{lib,usr/lib}/modules/*/kernel/**/*.ko*')).map((path) => [
      moduleName(basename(path)),
      path,
    ]),
  );
  const contents = new Map<string, Buffer>();
  const read = (name: string) => {
    const path = paths.get(name);
    if (path === undefined) return undefined;
    const content = contents.get(name) ?? readModule(path);
    contents.set(name, content);
    return dependenciesOf(content);
  };
  const order = loadOrder(WANTED_MODULES, read);
  return {
    version,
    image,
    modules: order.map((name) => ({ name, content: contents.get(name) ?? Buffer.of() })),
  };
}

function readModule(path: string): Buffer {
  if (path.endsWith('.ko')) return readFileSync(path);
  return execFileSync('xz', ['-dc', path], { maxBuffer: 64 << 20 });
}
