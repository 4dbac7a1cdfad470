/** Kubernetes quantities of bytes: `170Mi`, `1G`, `129e6`, `128974848000m`. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Undefined for what is no quantity. YAML may have made a number of it. */
export function parseBytes(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const match = /^(\d{1,18}(?:\.\d{1,9})?(?:[eE]\d{1,2})?)([a-zA-Z]{0,2})$/.exec(String(value).trim());
  const unit = UNITS[match?.[2] ?? '?'];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** `170 MiB`: for people, in binary units, because limits are mostly written in them. */
export function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 30) return `${trim(bytes / 2 ** 30)} GiB`;
  return bytes >= 2 ** 20 ? `${trim(bytes / 2 ** 20)} MiB` : `${trim(bytes / 2 ** 10)} KiB`;
}

function trim(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '');
}
