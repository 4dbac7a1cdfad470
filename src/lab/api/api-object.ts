/** API objects as the lab's server keeps them: JSON with the metadata the server itself is responsible for. */
export interface ObjectMeta {
  readonly name: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly uid: string;
  /** Decimal; grows with every change in the store, over all kinds. */
  readonly resourceVersion: string;
  /** Grows when anything but metadata and status changes. */
  readonly generation: number;
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** Frozen through and through: replaced on every change, never altered. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface StoreEvent {
  readonly type: WatchEventType;
  /** Of a deletion: the last state, with the resourceVersion of the deletion. */
  readonly object: ApiObject;
  /** What was there before; absent for ADDED. */
  readonly previous?: ApiObject;
}

/** Freezes what it is given, which must be plain JSON that nobody else holds. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
