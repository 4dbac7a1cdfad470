import { expect, test } from 'vitest';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { parseName, ROOT } from '../../dns/name.ts';
import { answerTo, probeTag, taggedQuery, tagOf } from './tagged-query.ts';

const DOMAIN = parseName('cluster.local.') ?? ROOT;

function query(tag = probeTag('ab', 7)) {
  const made = taggedQuery(tag, DOMAIN, 1234);
  if (made === undefined) throw new Error('no query');
  return made;
}

test('a tag is found again in the name it made, whatever the case, and in no other', () => {
  expect(tagOf(query().name)).toBe('zerohop-probe-ab-7');
  expect(tagOf('ZeroHop-Probe-AB-7.cluster.local.')).toBe('zerohop-probe-ab-7');
  for (const name of ['', '.', 'www.example.', 'zerohop-probe-\u001b-1.x.', 'a.zerohop-probe-ab-7.x.'])
    expect(tagOf(name)).toBeUndefined();
});

test('answerTo takes the answer, and not the query, another id or another question', () => {
  const { bytes } = query();
  const asked = decodeMessage(bytes);
  if (!asked.ok) throw new Error('own query cannot be read');
  const reply = { ...asked.value, flags: { ...asked.value.flags, response: true } };
  expect(answerTo(query(), encodeMessage(reply))?.id).toBe(1234);
  expect(answerTo(query(), encodeMessage({ ...reply, questions: [] }))?.id).toBe(1234);
  expect(answerTo(query(), bytes)).toBeUndefined();
  expect(answerTo(query(), encodeMessage({ ...reply, id: 1 }))).toBeUndefined();
  expect(answerTo(query(probeTag('ab', 8)), encodeMessage(reply))).toBeUndefined();
  expect(answerTo(query(), Uint8Array.of(1, 2))).toBeUndefined();
});

test('there is no query where there is no room for its name', () => {
  const long = parseName(`${'a'.repeat(60)}.`.repeat(4)) ?? ROOT;
  expect(taggedQuery(probeTag('ab', 7), long, 1)).toBeUndefined();
});
