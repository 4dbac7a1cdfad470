/**
 * Numbers and names as they are shown. Names come from packets: what would steer a terminal, hide, or turn the direction of
 * the text around it is shown as its number, so that what one reads is what was asked.
 */

/** Controls, zero-width and direction characters (Unicode TR 36 and 39), line separators, and the byte order mark. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function visibleText(text: string): string {
  return text.replace(UNSEEN, (letter) => `\\u${(letter.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

/** A second: `0`, `0.4`, `12`, `1.2k`. */
export function rateText(rate: number): string {
  if (rate === 0) return '0';
  if (rate < 0.1) return '<0.1';
  if (rate < 10) return rate.toFixed(1);
  if (rate < 1000) return rate.toFixed(0);
  return `${(rate / 1000).toFixed(rate < 10_000 ? 1 : 0)}k`;
}

/** `2.1 µs`, `80 µs`, `1.2 ms`, `240 ms`, `1.4 s`. */
export function latencyText(ms: number | undefined): string {
  if (ms === undefined) return '–';
  if (ms < 0.009_95) return `${(ms * 1000).toFixed(1)} µs`;
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`;
  if (ms < 9.995) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

export function shareText(share: number | undefined): string {
  if (share === undefined) return '–';
  // Nearly all is not all: the one in a thousand is what is looked for.
  return share > 0.999 && share < 1 ? '>99.9 %' : `${(share * 100).toFixed(share < 1 ? 1 : 0)} %`;
}

/** Local time of the day, to the millisecond. */
export function clockText(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** `cart-6d4b7c8f9-x2x7k` of `shop/cart-6d4b7c8f9-x2x7k`. */
export function podName(pod: string): string {
  return pod.slice(pod.indexOf('/') + 1);
}

export function podNamespace(pod: string): string {
  return pod.includes('/') ? pod.slice(0, pod.indexOf('/')) : '';
}
