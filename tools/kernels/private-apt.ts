/**
 * An apt of our own beside the system's: its own list of suites, state and cache, the system's mirror, keys and settings.
 * The system's lists and packages are never changed. Mirrors are taken from the machine's own configuration, so that
 * nothing here names a host.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PackageStanza, parseStanzas } from './package-index.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** From the oldest kernel to the newest; a suite that a mirror no longer has is told by apt and left out. */
const ARCHIVE_SUITES = ['bullseye', 'bookworm', 'trixie', 'bookworm-backports', 'sid', 'experimental'];
const SECURITY_SUITES = ['bullseye-security', 'bookworm-security', 'trixie-security'];
const FRESH_MS = 24 * 3_600_000;

export interface PrivateApt {
  /** Every version known of the named packages; names nobody knows are left out. */
  show(names: readonly string[]): readonly PackageStanza[];
  /** Downloads into `directory`; apt has checked signatures and sums. */
  download(names: readonly { readonly name: string; readonly version: string }[], directory: string): void;
}

/** Reads the indexes anew when they are a day old. Throws when the machine has no Debian mirror or it does not answer. */
export function openPrivateApt(home: string, say: (line: string) => void): PrivateApt {
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'parts'])
    mkdirSync(join(home, folder), { recursive: true });
  const config = join(home, 'apt.conf');
  writeFileSync(config, configText(home));
  writeFileSync(join(home, 'sources.list'), `${sourceLines(debianMirrors()).join('\n')}\n`);
  const env = { ...process.env, APT_CONFIG: config, LC_ALL: 'C' };
  const run = (file: string, parameters: readonly string[], cwd = home) =>
    execFileSync(file, parameters, {
      env,
      cwd,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const stamp = join(home, 'updated');
  if (ageMs(stamp) > FRESH_MS) {
    say('reading the package indexes of all suites (40 MB)');
    run('apt-get', ['update', '-qq']);
    writeFileSync(stamp, '');
  }
  return {
    show: (names) => parseStanzas(run('apt-cache', ['show', ...names])),
    download: (names, directory) => {
      mkdirSync(directory, { recursive: true });
      // Root downloads as itself: the sandbox user cannot write here.
      const list = names.map(({ name, version }) => `${name}=${version}`);
      run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...list], directory);
    },
  };
}

interface Mirrors {
  readonly archive: string;
  readonly security: string | undefined;
}

/** What this machine's apt has Debian from: index targets tell origin and label of each source. */
function debianMirrors(): Mirrors {
  const format = '$(ORIGIN)|$(LABEL)|$(REPO_URI)';
  const rows = execFileSync('apt-get', ['indextargets', '--format', format], { encoding: 'utf8' }).split(
    '\n',
  );
  const find = (label: string) => rows.find((row) => row.startsWith(`Debian|${label}|`))?.split('|')[2];
  const archive = find('Debian');
  if (archive === undefined)
    throw new Error('Cannot find a Debian mirror: apt of this machine has none, or was never updated');
  return { archive, security: find('Debian-Security') };
}

function sourceLines({ archive, security }: Mirrors): readonly string[] {
  const line = (uri: string, suite: string) => `deb [arch=amd64 signed-by=${KEYRING}] ${uri} ${suite} main`;
  return [
    ...ARCHIVE_SUITES.map((suite) => line(archive, suite)),
    ...(security === undefined ? [] : SECURITY_SUITES.map((suite) => line(security, suite))),
  ];
}

function configText(home: string): string {
  return [
    `Dir::State "${home}/state";`,
    `Dir::Cache "${home}/cache";`,
    `Dir::Etc::sourcelist "${home}/sources.list";`,
    `Dir::Etc::sourceparts "${home}/parts";`,
    'Dir::State::status "/dev/null";',
    '',
  ].join('\n');
}

function ageMs(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? Number.POSITIVE_INFINITY : Date.now() - stat.mtimeMs;
}
