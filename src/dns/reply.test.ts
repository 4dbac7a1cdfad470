import { expect, test } from 'vitest';
import { addressRecord } from './rdata/address.ts';
import { replyTo } from './reply.ts';
import { ip, NO_FLAGS, name, queryFor } from './testing/packets.ts';

const ALL = { ...NO_FLAGS, recursionDesired: true, checkingDisabled: true, authenticData: true, zero: true };

test('ID, question in its spelling, RD and CD come from the query, nothing else does', () => {
  const query = queryFor('WwW.Example.ORG', {
    id: 7,
    flags: ALL,
    additionals: [addressRecord(name('a'), 1, ip('::1'))],
  });
  expect(replyTo(query)).toEqual({
    id: 7,
    opcode: 0,
    rcode: 0,
    flags: { ...NO_FLAGS, response: true, recursionDesired: true, checkingDisabled: true },
    questions: [{ name: 'WwW.Example.ORG.', type: 1, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
  });
});

test('the reply to NOTIFY keeps the opcode and no flag of the query', () => {
  const reply = replyTo(queryFor('example.org', { opcode: 4, flags: ALL }), { authoritative: true });
  expect(reply.opcode).toBe(4);
  expect(reply.flags).toEqual({ ...NO_FLAGS, response: true, authoritative: true });
});

test('only the first question is repeated', () => {
  const query = queryFor('a');
  expect(replyTo({ ...query, questions: [...query.questions, ...query.questions] }).questions).toHaveLength(
    1,
  );
});
