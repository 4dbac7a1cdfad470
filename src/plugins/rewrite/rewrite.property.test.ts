import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeMessage } from '../../dns/encode-message.ts';
import { parseName } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import { formatRecordText, parseRecordText } from '../../zonefile/record-text.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const LABEL = fc.stringMatching(/^[a-zA-Z0-9_;"()\\ -]{1,20}$/);
const NAME = fc
  .array(LABEL, { minLength: 1, maxLength: 4 })
  .map((labels) => parseName(labels.join('.')) ?? '.');
const WORD = fc.stringMatching(/^[a-z0-9.-]{1,12}$/);
const KIND = fc.constantFrom('exact', 'prefix', 'suffix', 'substring');
const ANSWER = fc.constantFrom(
  '',
  ' answer auto',
  ' answer name ^(.*)a(.*)$ {2}{1}',
  ' answer value (.+)b $a{1}b',
);

it('rewrite asks for a name or fails, and its answers can be sent, whatever is asked and written', async () => {
  await fc.assert(
    fc.asyncProperty(NAME, KIND, WORD, WORD, ANSWER, async (qname, kind, from, to, answer) => {
      const { plugin } = setUp(setup, `rewrite name ${kind} ${from} ${to}${answer}`, { host: fakeHost() });
      const query = ask(qname);
      const reply = await plugin?.((behind) => {
        expect(parseName(behind.question.name)).toBe(behind.question.name);
        const alias = {
          name: behind.question.name,
          type: 5,
          class: 1,
          ttlSeconds: 1,
          rdata: Uint8Array.of(1, 98, 0),
        };
        return { rcode: 0, message: replyTo(behind.message, { answers: [alias] }) };
      })(query);
      if (reply?.message === undefined) {
        expect(reply?.error?.message).toContain('invalid name after rewrite');
        return;
      }
      expect(reply.message.questions).toEqual(query.message.questions);
      expect(encodeMessage(reply.message).length).toBeGreaterThan(12);
      for (const record of reply.message.answers) {
        const text = formatRecordText(record);
        expect(parseRecordText(text, { origin: undefined, defaultTtlSeconds: undefined })).toEqual({
          ok: true,
          value: record,
        });
      }
    }),
    { numRuns: 300 },
  );
});
