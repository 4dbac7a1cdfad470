/** Whoever may write a lease or a policy's status may write anything: reading it never throws, and what comes of it is bounded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeConditions } from './conditions.ts';
import { foldReports } from './fold-reports.ts';
import { REPORT_ANNOTATION, readLease } from './lease.ts';
import { parseReport } from './node-report.ts';
import { convertPolicyObject, createNodeLeaseConverter } from './policy-object.ts';

const words = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.constantFrom('active', 'done', 'u', 'w1', '__proto__'),
);
const entry = fc.record(
  { policy: words, uid: words, state: words, realised: words, reason: words, code: words },
  { requiredKeys: [] },
);
const report = fc.record(
  {
    version: fc.constantFrom(1, 2, '1'),
    node: words,
    policies: fc.oneof(fc.jsonValue(), fc.array(fc.oneof(entry, fc.jsonValue()), { maxLength: 8 })),
    omitted: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

describe('what others wrote', () => {
  it('as a report comes to verdicts of bounded length without control characters', () => {
    const convert = createNodeLeaseConverter();
    fc.assert(
      fc.property(report, (fields) => {
        const lease = {
          metadata: { name: 'l', annotations: { [REPORT_ANNOTATION]: JSON.stringify(fields) } },
        };
        const converted = convert(lease);
        if (!converted.ok) throw new Error(converted.reason);
        const nodes = converted.value === undefined ? [] : [converted.value];
        for (const { message, reason } of foldReports({ uid: 'u', nodes })) {
          expect(message.length).toBeLessThan(2_000);
          expect(message).not.toMatch(/\p{Cc}/u);
          // metav1.Condition: CamelCase, at most 1024 characters.
          expect(reason).toMatch(/^[A-Za-z][A-Za-z0-9_]{0,1022}$/);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('as a lease, a policy or a condition is read or left out', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, other) => {
        readLease(value);
        readLease({ metadata: value, spec: other });
        convertPolicyObject({ metadata: { name: 'p', generation: value }, status: other });
        convertPolicyObject({ metadata: { name: 'p' }, status: { conditions: value } });
        changeConditions({
          current: value,
          verdicts: foldReports({ uid: 'u', nodes: [] }),
          generation: 1,
          nowMs: 0,
        });
        parseReport(JSON.stringify(value) ?? '');
      }),
      { numRuns: 1_000 },
    );
  });
});
