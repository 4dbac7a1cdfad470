/** A directory of a bpffs, as shelves use it. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openPinned, pinObject } from '../../sys/bpf.ts';
import type { ShelfPins } from './kernel-shelf-store.ts';

export function openPinDirectory(path: string): ShelfPins {
  return {
    names: () => (existsSync(path) ? readdirSync(path) : []),
    open: (name) => openPinned(join(path, name)),
    pin: (fd, name) => pinObject(fd, join(path, name)),
    remove: (name) => rmSync(join(path, name), { force: true }),
  };
}
