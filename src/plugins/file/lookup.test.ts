import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, equalNames, isSubdomain, joinName, type Name } from '../../dns/name.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import { lookUp } from './lookup.ts';
import { RICH_ORIGIN, RICH_ZONE, signedText, zoneOfText } from './rich-zone.ts';

const plain = zoneOfText(RICH_ZONE, RICH_ORIGIN);
const signed = zoneOfText(signedText(plain), RICH_ORIGIN);
const names = [...plain.nodes.keys()];
const LABELS = ['a', 'b', 'x', '*', 'sub', 'wild', 'WWW', 'host', 'deep', '\\000', 'a\\.b', 'z'.repeat(60)];

const anyName = fc
  .tuple(fc.array(fc.constantFrom(...LABELS), { maxLength: 3 }), fc.constantFrom(...names))
  .map(([labels, parent]): Name => joinName(labels, parent) ?? parent);
const anyType = fc.constantFrom(
  ...Object.values(TYPE).filter((type) => type < TYPE.TKEY || type >= TYPE.ANY),
);

/** Aliases lead from the name asked to the owner of everything that is no alias. */
function followChain(qname: Name, answers: readonly ResourceRecord[]): Name {
  let at = qname;
  for (const answer of answers) {
    if (answer.type === TYPE.CNAME && equalNames(answer.name, at)) at = recordTarget(answer) ?? at;
  }
  return at;
}

describe('lookUp of any name and type', () => {
  it('tells either records, a denial, a referral or where an alias leads', () => {
    fc.assert(
      fc.property(anyName, anyType, fc.boolean(), (qname, type, dnssecOk) => {
        const answer = lookUp(dnssecOk ? signed : plain, { name: qname, type, class: 1 }, dnssecOk);
        const hasSoa = answer.authorities.some((each) => each.type === TYPE.SOA);
        expect(answer.rcode === RCODE.NXDOMAIN && !hasSoa).toBe(false);
        expect(answer.authoritative || answer.authorities.some((each) => each.type === TYPE.NS)).toBe(true);
        expect(answer.leadsTo !== undefined && isSubdomain(RICH_ORIGIN, answer.leadsTo)).toBe(false);
        expect(new Set(answer.answers).size).toBe(answer.answers.length);
      }),
      { numRuns: 500 },
    );
  });

  it('answers with what was asked, at the end of its aliases', () => {
    fc.assert(
      fc.property(anyName, anyType, (qname, type) => {
        const { answers } = lookUp(plain, { name: qname, type, class: 1 }, false);
        const end = canonicalName(followChain(qname, answers));
        const aliases: number[] = [TYPE.CNAME, TYPE.DNAME];
        for (const each of answers) {
          if (type === TYPE.ANY || aliases.includes(each.type)) continue;
          expect([each.type, canonicalName(each.name)]).toEqual([type, end]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the case of letters', () => {
    fc.assert(
      fc.property(anyName, anyType, (qname, type) => {
        const upper = qname.toUpperCase() as Name;
        const lower = lookUp(plain, { name: canonicalName(qname), type, class: 1 }, false);
        const other = lookUp(plain, { name: upper, type, class: 1 }, false);
        expect([other.rcode, other.answers.length]).toEqual([lower.rcode, lower.answers.length]);
      }),
    );
  });

  it('tells no signature and no NSEC to those who do not ask with DO', () => {
    const hidden: number[] = [TYPE.RRSIG, TYPE.NSEC];
    fc.assert(
      fc.property(anyName, anyType, (qname, type) => {
        fc.pre(!hidden.includes(type) && type !== TYPE.ANY);
        const { answers, authorities, additionals } = lookUp(signed, { name: qname, type, class: 1 }, false);
        const all = [...answers, ...authorities, ...additionals];
        expect(all.filter((each) => hidden.includes(each.type))).toEqual([]);
      }),
    );
  });
});
