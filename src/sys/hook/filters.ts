/**
 * Classifiers on the clsact hook of an interface (`tc filter`), as far as programs in direct-action mode need it: which
 * there are, in the order in which they run, and adding, replacing and removing one. In the namespace of the calling thread.
 */

import {
  attribute,
  decodeAttributes,
  textAttribute,
  textOf,
  u32Attribute,
  u32Of,
  viewOf,
} from '../netlink/attributes.ts';
import { askEchoed, type ChangeResult, change, dump } from '../netlink/exchange.ts';
import { encodeStruct, readField } from '../struct.ts';
import { TCMSG } from '../uapi.gen.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
/** TC_H_CLSACT, also TC_H_INGRESS: where the qdisc hangs. */
const CLSACT_PARENT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), and of egress: where filters hang. */
const FILTER_PARENT = { in: 0xfffffff2, out: 0xfffffff3 } as const;
/** ETH_P_ALL in network order. */
const ALL_PROTOCOLS = 0x0300;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_CHAIN = 11;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_ID = 11;
const TCA_BPF_FLAG_ACT_DIRECT = 1;

/** Seen from the host's side of a veth: in comes from the pod, out goes to it. */
export type FilterDirection = 'in' | 'out';

/** What names one filter of an interface. */
export interface FilterKey {
  readonly ifindex: number;
  readonly direction: FilterDirection;
  /** 1 to 65535; smaller runs first. */
  readonly priority: number;
  readonly handle: number;
}

export interface FilterRow extends FilterKey {
  /** `bpf`, `u32`, `flower`. */
  readonly kind: string;
  /** Of kind bpf: as whoever put it there called it. */
  readonly name: string;
  /** Of kind bpf: the program's; 0 when the kernel does not tell. */
  readonly programId: number;
}

export interface QdiscRow {
  readonly ifindex: number;
  /** `clsact`, or `ingress`: that one has no hook for what leaves. */
  readonly kind: string;
}

/** The qdiscs with hooks for filters, of all interfaces. */
export function listHookQdiscs(): readonly QdiscRow[] {
  return dump(RTM_GETQDISC, [encodeStruct(TCMSG, {})], 'list qdiscs').flatMap((payload) => {
    const view = viewOf(payload);
    if (readField(TCMSG, 'tcm_parent', view) !== CLSACT_PARENT) return [];
    const kind = textOf(decodeAttributes(payload.subarray(TCMSG.size)).get(TCA_KIND));
    return [{ ifindex: readField(TCMSG, 'tcm_ifindex', view), kind }];
  });
}

/**
 * Whether the interface has a qdisc of the older kind, in the place where clsact would be. Asked in a way that the kernel
 * refuses for any other kind: an answer would go to all who listen to changes.
 */
export function hasIngressQdisc(ifindex: number): boolean {
  const message = { tcm_ifindex: ifindex, tcm_parent: CLSACT_PARENT, tcm_handle: CLSACT_HANDLE };
  const parts = [encodeStruct(TCMSG, message), textAttribute(TCA_KIND, 'ingress')];
  return askEchoed(RTM_GETQDISC, RTM_NEWQDISC, parts, ['EINVAL', 'ENOENT', 'ENODEV']) !== undefined;
}

/** `EEXIST` when there is one, or one of the older kind `ingress`. */
export function addClsact(ifindex: number): ChangeResult {
  return change(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, clsactParts(ifindex));
}

/** With every filter on it. */
export function removeClsact(ifindex: number): ChangeResult {
  return change(RTM_DELQDISC, 0, clsactParts(ifindex));
}

function clsactParts(ifindex: number): readonly Uint8Array[] {
  const message = { tcm_ifindex: ifindex, tcm_parent: CLSACT_PARENT, tcm_handle: CLSACT_HANDLE };
  return [encodeStruct(TCMSG, message), textAttribute(TCA_KIND, 'clsact')];
}

/**
 * In the order in which they run; none where the interface has no hook, or is gone. The hook `out` of a qdisc of kind
 * `ingress` is its hook `in`: ask `hasIngressQdisc` first. Other chains than the first are left
 * out: they run only when a filter of the first sends packets there.
 */
export function listFilters(ifindex: number, direction: FilterDirection): readonly FilterRow[] {
  const message = encodeStruct(TCMSG, { tcm_ifindex: ifindex, tcm_parent: FILTER_PARENT[direction] });
  return dump(RTM_GETTFILTER, [message], `list filters of interface ${ifindex}`).flatMap((payload) => {
    const view = viewOf(payload);
    const attributes = decodeAttributes(payload.subarray(TCMSG.size));
    const handle = readField(TCMSG, 'tcm_handle', view);
    // Handle 0 is the head of all filters with one priority.
    if (handle === 0 || u32Of(attributes.get(TCA_CHAIN) ?? new Uint8Array()) !== 0) return [];
    const kind = textOf(attributes.get(TCA_KIND));
    const found = decodeAttributes(attributes.get(TCA_OPTIONS) ?? new Uint8Array());
    // The numbers of options mean something else in each kind.
    const options = kind === 'bpf' ? found : new Map<number, Uint8Array>();
    const priority = readField(TCMSG, 'tcm_info', view) >>> 16;
    const name = textOf(options.get(TCA_BPF_NAME));
    const programId = u32Of(options.get(TCA_BPF_ID) ?? new Uint8Array());
    return [{ ifindex, direction, priority, handle, kind, name, programId }];
  });
}

/**
 * Puts a program there in direct-action mode, in one step in the place of one with the same priority and handle. Among
 * filters of one priority a new one runs first. `EINVAL` when the priority is taken by another kind or protocol, `ENOENT`
 * where there is no clsact.
 */
export function replaceFilter(key: FilterKey, program: number, name: string): ChangeResult {
  const options = Buffer.concat([
    u32Attribute(TCA_BPF_FD, program),
    textAttribute(TCA_BPF_NAME, name),
    u32Attribute(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
  ]);
  return change(RTM_NEWTFILTER, NLM_F_CREATE, [...filterParts(key), attribute(TCA_OPTIONS, options)]);
}

/** `ENOENT` or `EINVAL` when it is not there. */
export function removeFilter(key: FilterKey): ChangeResult {
  return change(RTM_DELTFILTER, 0, filterParts(key));
}

function filterParts({ ifindex, direction, priority, handle }: FilterKey): readonly Uint8Array[] {
  const message = encodeStruct(TCMSG, {
    tcm_ifindex: ifindex,
    tcm_parent: FILTER_PARENT[direction],
    tcm_handle: handle,
    tcm_info: ((priority << 16) | ALL_PROTOCOLS) >>> 0,
  });
  return [message, textAttribute(TCA_KIND, 'bpf')];
}

/** A new qdisc is empty, and asking for one is told as one that is new. */
const HOOK_MESSAGES: readonly number[] = [RTM_DELQDISC, RTM_NEWTFILTER, RTM_DELTFILTER];

/** The interface whose hooks a message tells of; undefined for other messages. */
export function hookChangeIfindex(type: number, payload: Uint8Array): number | undefined {
  if (!HOOK_MESSAGES.includes(type) || payload.length < TCMSG.size) return undefined;
  return readField(TCMSG, 'tcm_ifindex', viewOf(payload));
}
