/**
 * Where our objects live on the bpffs, and how they get there. Layout, one directory per ABI version because a map of
 * another layout must not be inherited: `<root>/abi-1/maps/<name>`, `<root>/abi-1/links/<ifindex>-in|-out`,
 * `<root>/abi-1/answers/<shelf>-<part>`.
 * bpffs refuses names with a dot.
 */
import { existsSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ANSWER_LAYOUT } from '../../answermap/answer-abi.gen.ts';
import { AppError } from '../../fault/app-error.ts';
import {
  BPF_COMMAND,
  callBpf,
  mapName,
  mapShape,
  objectName,
  openPinned,
  pinObject,
  removePinnedLink,
} from '../../sys/bpf.ts';
import { BpfMap } from '../../sys/bpf-map.ts';
import { makeDirectory, removeBpffs } from '../../sys/bpffs.ts';
import { lockDirectory } from '../../sys/directory-lock.ts';
import { openLibc } from '../../sys/libc.ts';
import { BPF_MAP_TYPE_ARRAY_OF_MAPS, innerTemplate } from '../answers/shelf-layout.ts';
import { DATAPATH_ERRORS } from '../errors.ts';
import { removeFilters } from '../hooks/own-filter.ts';
import { ABI_VERSION } from './abi.gen.ts';
import { refusal } from './load-program.ts';
import type { MapSpec, ObjectSpec } from './object-spec.ts';

export interface Pins {
  readonly maps: string;
  readonly links: string;
  readonly answers: string;
}

/**
 * Two agents on one set of maps would swap each other's programs and silence each other's events. Throws
 * `DATAPATH_IN_USE`; the lock ends with its holder.
 */
export function lockPins(root: string): () => void {
  const release = lockDirectory(root);
  if (release !== undefined) return release;
  const message = `Cannot use the directory of pinned maps: another agent does: received ${root}`;
  throw new AppError('DATAPATH_IN_USE', message, { hint: DATAPATH_ERRORS.DATAPATH_IN_USE.cure });
}

/** Makes the directories; removes what an incompatible version left (its links detach: packets fall back). */
export function openPins(root: string): Pins {
  const mine = `abi-${ABI_VERSION}`;
  for (const name of readdirSync(root)) {
    if (name.startsWith('abi-') && name !== mine) removeVersion(join(root, name));
  }
  const directory = (name: string) => join(root, mine, name);
  const pins = { maps: directory('maps'), links: directory('links'), answers: directory('answers') };
  for (const path of Object.values(pins)) makeDirectory(path);
  return pins;
}

/** Links and filters first: no program may see half of its maps. Removing what is not there is nothing. */
export function removePins(root: string): void {
  if (!existsSync(root)) return;
  for (const name of readdirSync(root)) {
    if (!name.startsWith('abi-')) continue;
    removeVersion(join(root, name));
  }
  removeBpffs(root);
}

function removeVersion(directory: string): void {
  for (const links of [join(directory, 'sockets'), join(directory, 'links')])
    for (const name of existsSync(links) ? readdirSync(links) : []) removePinnedLink(join(links, name));
  removeFilters(join(directory, 'links'));
  removeTree(directory);
}

export function openMaps(object: ObjectSpec, directory: string): ReadonlyMap<string, BpfMap> {
  const opened = new Map<string, BpfMap>();
  try {
    for (const [name, spec] of Object.entries(object.maps)) {
      opened.set(name, new BpfMap(openMap(name, spec, join(directory, name)), { name, ...spec }));
    }
    return opened;
  } catch (error) {
    for (const map of opened.values()) map.close();
    throw error;
  }
}

function openMap(name: string, spec: MapSpec, path: string): number {
  const pinned = openPinned(path);
  if (pinned !== undefined && isSameMap(pinned, name, spec)) return pinned;
  if (pinned !== undefined) {
    // Same version, other size: a build of ours in between. Nothing else could have put it there.
    openLibc().close(pinned);
    unlinkSync(path);
  }
  const fd = spec.type === BPF_MAP_TYPE_ARRAY_OF_MAPS ? createOuter(name, spec) : createMap(name, spec);
  try {
    pinObject(fd, path);
    return fd;
  } catch (error) {
    openLibc().close(fd);
    throw error;
  }
}

/** The kernel wants to see one of the maps that it will hold. */
function createOuter(name: string, spec: MapSpec): number {
  const template = innerTemplate(name);
  if (template === undefined) throw new Error(`No template for the maps in ${name}`);
  const inner = createMap(`in_${name}`, template);
  try {
    return createMap(name, spec, inner);
  } finally {
    openLibc().close(inner);
  }
}

/** A descriptor, which is the caller's. Of a map that holds maps, `inner` is one of the kind. */
export function createMap(name: string, spec: MapSpec, inner = 0): number {
  const attr = {
    map_type: spec.type,
    key_size: spec.keySize,
    value_size: spec.valueSize,
    max_entries: spec.maxEntries,
    map_flags: spec.flags,
    inner_map_fd: inner,
    map_name: objectName(kernelName(name, spec)),
  };
  const first = callBpf(BPF_COMMAND.MAP_CREATE, attr);
  if (first >= 0) return first;
  // Kernels before 5.11 charge maps to RLIMIT_MEMLOCK and say EPERM when it is used up.
  openLibc().unlimitMemlock();
  const second = callBpf(BPF_COMMAND.MAP_CREATE, attr);
  if (second < 0) throw refusal(`create map ${name}`, second, '');
  return second;
}

/** What a map holds that holds maps cannot be asked; it stands in the name, by the number of the layout. */
function kernelName(name: string, { type }: MapSpec): string {
  return type === BPF_MAP_TYPE_ARRAY_OF_MAPS ? `zh${ANSWER_LAYOUT}_${name}` : `zh_${name}`;
}

function isSameMap(fd: number, name: string, spec: MapSpec): boolean {
  const shape = mapShape(fd);
  const keys = ['type', 'keySize', 'valueSize', 'maxEntries'] as const;
  const isNamed =
    spec.type !== BPF_MAP_TYPE_ARRAY_OF_MAPS || mapName(fd) === kernelName(name, spec).slice(0, 15);
  return isNamed && keys.every((key) => shape[key] === spec[key]);
}

function removeTree(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) removeTree(path);
    else unlinkSync(path);
  }
  rmdirSync(directory);
}
