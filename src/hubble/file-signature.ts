/** Whether files are the ones that were read, for who reads them again when somebody renews them. */
import { statSync } from 'node:fs';

/** Differs when a file was written or replaced; a mounted Secret replaces what its names lead to. */
export function signatureOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
      return stat === undefined ? '-' : `${stat.dev}:${stat.ino}:${stat.mtimeNs}:${stat.size}`;
    })
    .join(' ');
}
