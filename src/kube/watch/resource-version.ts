/**
 * The order of two resource versions. They are opaque by contract, and yet every API server that stores in etcd gives
 * decimal numbers that grow, which Kubernetes 1.35 made a promise (KEP-5504). Others (aggregated servers may give any
 * text) have no order here, and nothing is concluded from them.
 */
const DECIMAL = /^[1-9]\d{0,38}$/;

/** Negative when `a` is older than `b`, 0 when equal; undefined when either has no order. */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}
