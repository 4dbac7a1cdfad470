/**
 * What a Debian package index says of kernels, as values: stanzas, the order of versions, and which package is meant by
 * `6.1` or `newest`. Pure; whoever asks apt is elsewhere.
 */

export interface PackageStanza {
  readonly name: string;
  readonly version: string;
  /** Names alone, first alternative of each; versions are dropped. */
  readonly depends: readonly string[];
}

/** The package that depends on the current cloud kernel of a suite. */
export const META_PACKAGE = 'linux-image-cloud-amd64';

/** Stanzas as `apt-cache show` and Packages files have them (deb-control(5)); those without a name are left out. */
export function parseStanzas(text: string): readonly PackageStanza[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(stanza)?.[1]?.trim() ?? '';
    const name = field('Package');
    if (name === '') return [];
    const depends = field('Depends')
      .split(',')
      .map((each) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(each)?.[1] ?? '')
      .filter((each) => each !== '');
    return [{ name, version: field('Version'), depends }];
  });
}

/** Debian's order of versions (deb-version(7)): negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [splitVersion(a), splitVersion(b)];
  return (
    left.epoch - right.epoch ||
    comparePart(left.upstream, right.upstream) ||
    comparePart(left.revision, right.revision)
  );
}

/**
 * The newest stanza of the meta package that `wanted` means: `newest`, or the beginning of a version, as `6.1`. Undefined
 * when there is none.
 */
export function chooseKernel(stanzas: readonly PackageStanza[], wanted: string): PackageStanza | undefined {
  return stanzas
    .filter(({ name }) => name === META_PACKAGE)
    .filter(
      ({ version }) => wanted === 'newest' || new RegExp(`^${escapeDots(wanted)}(?![0-9])`).test(version),
    )
    .sort((a, b) => compareVersions(b.version, a.version))[0];
}

/** The package of the image itself, which the meta package names first among its kernels. */
export function imageOf(meta: PackageStanza): string | undefined {
  return meta.depends.find((name) => /^linux-image-[0-9].*-cloud-amd64$/.test(name));
}

/** Since Linux 7.0 an image is an empty package: the kernel and its modules come in two others. */
export function filesOf(image: PackageStanza): readonly string[] {
  const parts = image.depends.filter((name) => /^linux-(?:binary|modules)-[0-9]/.test(name));
  return parts.length === 0 ? [image.name] : parts;
}

function escapeDots(text: string): string {
  return text.replaceAll('.', '\\.');
}

function splitVersion(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?(.*)$/.exec(version) ?? [];
  const dash = rest.lastIndexOf('-');
  return {
    epoch: Number(epoch),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** Runs of other characters and runs of digits in turns; digits count as numbers. */
function comparePart(a: string, b: string): number {
  const [left, right] = [runsOf(a), runsOf(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l = '', r = ''] = [left[i], right[i]];
    const order = i % 2 === 0 ? compareWords(l, r) : Number(l) - Number(r);
    if (order !== 0) return order;
  }
  return 0;
}

/** Characters first: a text that begins with a digit has an empty run before it. */
function runsOf(text: string): readonly string[] {
  const runs = text.match(/\D+|\d+/g) ?? [];
  return /^\d/.test(text) ? ['', ...runs] : runs;
}

function compareWords(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = rank(a[i]) - rank(b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** A tilde sorts before the end, the end before letters, letters before the rest. */
function rank(character: string | undefined): number {
  if (character === '~') return -1;
  if (character === undefined) return 0;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}
