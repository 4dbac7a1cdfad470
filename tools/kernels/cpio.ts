/**
 * Writes the archive a kernel unpacks into its first file system: cpio "newc", see Documentation/driver-api/early-userspace
 * of Linux. Uncompressed, because under emulation copying is cheaper than unpacking. Owner, times and inode numbers carry
 * no meaning here: all is root's, of the epoch, without hard links.
 */

export type TreeEntry =
  | { readonly path: string; readonly directory: true }
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly content: Uint8Array; readonly executable: boolean };

const DIRECTORY = 0o040755;
const FILE = 0o100644;
const EXECUTABLE = 0o100755;
const LINK = 0o120777;
/** The format has 32 bits for a size, in hexadecimal. */
const MOST_BYTES = 0xffffffff;

/**
 * Paths are relative, with forward slashes, each at most once; directories above them are added. Throws on a path that is
 * not so, and on a file of 4 GiB.
 */
export function encodeCpio(entries: readonly TreeEntry[]): Uint8Array[] {
  const known = new Set<string>();
  const parts: Uint8Array[] = [];
  let inode = 1;
  const add = (path: string, mode: number, content: Uint8Array) =>
    parts.push(...encodeEntry({ path, mode, content, inode: inode++ }));
  for (const entry of entries) {
    checkPath(entry.path);
    for (const directory of parentsOf(entry.path)) {
      if (known.has(directory)) continue;
      known.add(directory);
      add(directory, DIRECTORY, new Uint8Array());
    }
    if (known.has(entry.path)) {
      if ('directory' in entry) continue;
      throw new Error(`Cannot write an archive: the path is there twice: received ${entry.path}`);
    }
    known.add(entry.path);
    if ('directory' in entry) add(entry.path, DIRECTORY, new Uint8Array());
    else if ('linkTo' in entry) add(entry.path, LINK, new TextEncoder().encode(entry.linkTo));
    else add(entry.path, entry.executable ? EXECUTABLE : FILE, entry.content);
  }
  parts.push(...encodeEntry({ path: 'TRAILER!!!', mode: 0, content: new Uint8Array(), inode: 0 }));
  return parts;
}

function encodeEntry(entry: {
  path: string;
  mode: number;
  content: Uint8Array;
  inode: number;
}): Uint8Array[] {
  const name = new TextEncoder().encode(`${entry.path}\0`);
  const { content } = entry;
  if (content.length > MOST_BYTES)
    throw new Error(`Cannot write an archive: the file is too long: received ${entry.path}`);
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [entry.inode, entry.mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  const head = Buffer.concat([Buffer.from(header, 'latin1'), name]);
  return [head, padding(head.length), content, padding(content.length)];
}

/** Header with name, and content, each end at a multiple of four. */
function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}

function parentsOf(path: string): readonly string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, i) => names.slice(0, i + 1).join('/'));
}

function checkPath(path: string): void {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0')))
    throw new Error(`Cannot write an archive: the path is not a relative one: received ${path}`);
}
