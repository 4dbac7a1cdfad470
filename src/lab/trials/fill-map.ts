/** Fills the kernel's table of flows on the worker node with entries of nobody: from then on each new flow costs an old one. */
import { randomFillSync } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../fault/app-error.ts';
import { mapShape, openPinned } from '../../sys/bpf.ts';
import { BpfMap } from '../../sys/bpf-map.ts';
import { LAB_PATHS, WORKER_NODE } from '../topology.ts';

/** Returns how many entries there are room for. */
export function fillFlowMap(): number {
  const root = join(LAB_PATHS.bpf, WORKER_NODE.name);
  const version = readdirSync(root).find((name) => name.startsWith('abi-')) ?? '';
  const path = join(root, version, 'maps', 'flows');
  const fd = openPinned(path);
  if (fd === undefined) throw new AppError('LAB_NOT_READY', `Cannot fill the flow map: there is no ${path}`);
  const { keySize, valueSize, maxEntries } = mapShape(fd);
  const map = new BpfMap(fd, { name: 'flows', keySize, valueSize });
  try {
    const [key, value] = [new Uint8Array(keySize), new Uint8Array(valueSize)];
    for (let i = 0; i < maxEntries; i++) map.update(randomFillSync(key), value);
    return maxEntries;
  } finally {
    map.close();
  }
}
