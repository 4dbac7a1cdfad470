/** One look at the server from outside: by dig, by bytes, over HTTP; and the counters that it must have moved. */
import { expect } from 'vitest';
import { runDig } from './dig.ts';
import { differences, fits, fitsCount } from './expectation.ts';
import { bytesPattern, exchangeTcp, exchangeUdp, idleTime, parseBytes } from './raw-exchange.ts';
import type { Case } from './suite.ts';
import type { UnderTest } from './under-test.ts';

const PAUSE_MS = 50;
/** For a counter, on a machine that may be busy with other things. */
const SETTLE_MS = 10_000;
/** A reply that is expected comes within the first, one that is not would have come within the second. */
const REPLY_MS = 15_000;
const SILENCE_MS = 400;

export async function probe(each: Case, server: UnderTest): Promise<void> {
  await ask(each, server);
  await exchange(each, server);
  if (each.closesAfterMs !== undefined) {
    const [least, most] = each.closesAfterMs;
    const took = await idleTime((each.send ?? []).map(parseBytes), server.port);
    expect(took).toBeGreaterThanOrEqual(least);
    expect(took).toBeLessThanOrEqual(most);
  }
  await look(each, server);
  for (const wanted of each.metrics ?? []) await expectMetric(server.expand(wanted), server);
}

async function ask(each: Case, server: UnderTest): Promise<void> {
  const { dig, expect: expected, ordered = false, withinMs = 0, bytes } = each;
  if (dig === undefined || expected === undefined) return;
  await eventually(withinMs, async () => {
    const seen = await runDig(server.expand(dig), server.port);
    const found = [...differences(server.expand(expected), seen, ordered)];
    if (bytes !== undefined && !fitsCount(bytes, seen.bytes)) found.push(`bytes: expected ${bytes}`);
    return found.length === 0 ? undefined : `dig ${dig}\n${found.join('\n')}\n\n${seen.text}`;
  });
}

async function exchange({ send = [], over = 'udp', reply }: Case, server: UnderTest): Promise<void> {
  if (reply === undefined) return;
  const seen = await (over === 'udp' ? exchangeUdp : exchangeTcp)({
    messages: send.map(parseBytes),
    port: server.port,
    replies: reply.length,
    waitMs: reply.length === 0 ? SILENCE_MS : REPLY_MS,
  });
  expect(seen).toHaveLength(reply.length);
  for (const wanted of reply) expect(seen).toContainEqual(expect.stringMatching(bytesPattern(wanted)));
}

async function look({ http, withinMs = 0 }: Case, server: UnderTest): Promise<void> {
  if (http === undefined) return;
  const wanted = (body: string) => [
    ...(http.body === undefined || http.body === body ? [] : [`body: expected ${JSON.stringify(http.body)}`]),
    ...(http.like ?? []).filter((text) => !new RegExp(server.expand(text), 'm').test(body)),
    ...(http.unlike ?? [])
      .filter((text) => new RegExp(server.expand(text), 'm').test(body))
      .map((text) => `not expected: ${text}`),
  ];
  await eventually(withinMs, async () => {
    const response = await fetch(server.expand(`http://${http.get}`));
    const body = await response.text();
    const found = wanted(body);
    if (response.status !== http.status)
      found.push(`status: expected ${http.status}, got ${response.status}`);
    return found.length === 0 ? undefined : `${http.get}\n${found.join('\n')}\n\n${body}`;
  });
}

async function expectMetric(wanted: string, { metricsPort }: UnderTest): Promise<void> {
  const family = wanted.split(/[{ ]/)[0] ?? '';
  await eventually(SETTLE_MS, async () => {
    const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const lines = page.split('\n').filter((line) => line.startsWith(family));
    return lines.some((line) => fits(wanted, line))
      ? undefined
      : `${wanted}\nis not among\n${lines.join('\n')}`;
  });
}

/** Fails with the last words of `look` when there are still some after `withinMs`. */
export async function eventually(
  withinMs: number,
  look: () => Promise<string | undefined> | string | undefined,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const wrong = await look();
    if (wrong === undefined) return;
    if (Date.now() >= deadline) expect.fail(wrong);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
