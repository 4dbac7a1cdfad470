/**
 * What our code uses of kernels newer than the oldest it runs on, and what happens without. docs/kernels.md shows this
 * table and a test compares them; the guest asks every kernel whether it is true.
 */

export interface KernelFeature {
  readonly name: string;
  /** First kernel that has it, `major.minor`. */
  readonly since: string;
  /** First release of each older stable series that got it, too, `major.minor.patch`. */
  readonly backports?: readonly string[];
  readonly use: string;
  readonly without: string;
  /** Asked in the guest under this name; absent where nothing but a load failure could tell. */
  readonly probe?: ProbeName;
}

export type ProbeName = 'drops' | 'tcx' | 'netns-cookie' | 'ordered-cgroup-links' | 'verified-instructions';

/** Without these nothing is redirected, and the agent says which is missing. */
export const OLDEST_KERNEL = '5.10';

export const REQUIRED: readonly KernelFeature[] = [
  {
    name: '`bpf_redirect_peer`',
    since: '5.10',
    use: "a packet goes from a pod straight into the backend's namespace",
    without: '`DATAPATH_KERNEL_TOO_OLD` names the helper',
  },
  {
    name: 'ring buffer',
    since: '5.8',
    use: 'flow events',
    without: '`DATAPATH_KERNEL_TOO_OLD` names the helper',
  },
  {
    name: 'mmap-able array',
    since: '5.5',
    use: 'a cache writes its heartbeat without a system call',
    without: 'the map is refused, the message names it',
  },
  {
    name: 'constants in a frozen map, bounded loops',
    since: '5.3',
    use: 'settings of the programs; the search for a living backend',
    without: "`DATAPATH_PROGRAM_REFUSED` with the verifier's last lines",
  },
  {
    name: 'addresses of another namespace (`IFA_TARGET_NETNSID`), `bpf_sk_lookup_udp`',
    since: '4.20',
    use: "finding the interface of a pod; is a socket bound to the backend's address",
    without: 'no older kernel gets that far',
  },
];

export const OPTIONAL: readonly KernelFeature[] = [
  {
    name: 'memory of maps charged to the cgroup',
    since: '5.11',
    use: 'maps need no limit lifted',
    without: 'the agent lifts RLIMIT_MEMLOCK for itself',
  },
  {
    name: '`SO_NETNS_COOKIE`',
    since: '5.14',
    use: "the socket path tells the node's namespace from others",
    without:
      'a program of ours reads the cookie at a connect of the agent itself; where the agent is not below the cgroup, status names the feature and host processes are not redirected',
    probe: 'netns-cookie',
  },
  {
    name: 'count of verified instructions',
    since: '5.16',
    use: 'program statistics',
    without: 'the count is 0',
    probe: 'verified-instructions',
  },
  {
    name: 'reasons for dropped packets, at the tracepoint `kfree_skb`',
    since: '5.17',
    use: 'packets of pods that the kernel drops are flows, with its reason',
    without:
      'no flows of drops; status says why. So too where the kernel does not tell its own types (CONFIG_DEBUG_INFO_BTF)',
    probe: 'drops',
  },
  {
    name: 'TCX links',
    since: '6.6',
    use: 'programs on interfaces are links: pinned, ordered, gone with their pin',
    without:
      'clsact filters, which `zerohop` removes itself; `--hook-order` is by filter priority. Asked for TCX alone, the row of the pod names the feature',
    probe: 'tcx',
  },
  {
    name: 'ordered links on a cgroup',
    since: '6.17',
    // By ChangeLog-6.12.110; 6.1.192 and 5.10.262 are without.
    backports: ['6.12.110'],
    use: 'our socket programs run before those of others',
    without: 'order of attaching; status names who is ahead',
    probe: 'ordered-cgroup-links',
  },
];

/** Releases of Debian before 13 are all patch 0 by their name, so a backport to their series could not be told. */
export function hasFeature(
  release: string,
  { since, backports = [] }: Pick<KernelFeature, 'since' | 'backports'>,
): boolean {
  return isAtLeast(release, since) || backports.some((first) => isLaterOfSeries(release, first));
}

function isLaterOfSeries(release: string, first: string): boolean {
  const [major, minor, patch = 0] = numbersOf(release);
  const [firstMajor, firstMinor, firstPatch = 0] = numbersOf(first);
  return major === firstMajor && minor === firstMinor && patch >= firstPatch;
}

/** `6.12.117+deb13-cloud-amd64` is at least `6.6`. */
export function isAtLeast(release: string, since: string): boolean {
  const [major = 0, minor = 0] = numbersOf(release);
  const [sinceMajor = 0, sinceMinor = 0] = numbersOf(since);
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

function numbersOf(release: string): readonly number[] {
  return release.split('.').map((part) => Number.parseInt(part, 10));
}

export function featureTable(features: readonly KernelFeature[]): string {
  const rows = features.map(
    ({ name, since, backports = [], use, without }) =>
      `| ${name} | ${[since, ...backports].join(', ')} | ${use} | ${without} |`,
  );
  return ['| Feature | Since | What for | Without it |', '|---|---|---|---|', ...rows].join('\n');
}
