import { describe, expect, it } from 'vitest';
import { formatReport, type NodeReport, parseReport, REPORT_MAX_BYTES, reportOf } from './node-report.ts';

function reportWith(count: number, reason: string): NodeReport {
  const policies = Array.from({ length: count }, (_, i) => ({
    ...({
      policy: `namespace/policy-${i}`,
      uid: `uid-${i}`,
      state: 'waiting',
      realised: 'none',
      reason,
    } as const),
  }));
  return { node: 'w1', policies, omitted: 0 };
}

describe('a node report as text', () => {
  it('comes back as it was', () => {
    const report: NodeReport = {
      node: 'w1',
      policies: [
        { policy: 'ns/a', uid: '1', state: 'active', realised: 'done', reason: '' },
        {
          policy: 'ns/b',
          uid: '2',
          state: 'malformed',
          realised: 'none',
          reason: 'port',
          code: 'POLICY_BAD_PORT',
        },
      ],
      omitted: 0,
    };
    expect(parseReport(formatReport(report))).toEqual(report);
  });

  it('is bounded: reasons give way first, then policies, which are counted', () => {
    const long = parseReport(formatReport(reportWith(120, 'x'.repeat(300))));
    expect(long?.policies.length).toBe(120);
    const many = formatReport(reportWith(5_000, 'ü'.repeat(300)));
    expect(Buffer.byteLength(many)).toBeLessThanOrEqual(REPORT_MAX_BYTES);
    const read = parseReport(many);
    expect((read?.policies.length ?? 0) + (read?.omitted ?? 0)).toBe(5_000);
    expect(read?.policies.length).toBeGreaterThan(100);
  });

  it.each([
    { name: 'no JSON', text: '{' },
    { name: 'another version', text: '{"version":2,"node":"w1","policies":[]}' },
    { name: 'no node', text: '{"version":1,"policies":[]}' },
    { name: 'too long', text: JSON.stringify({ version: 1, node: 'w1', pad: 'x'.repeat(REPORT_MAX_BYTES) }) },
    { name: 'an array', text: '[]' },
  ])('is nothing when it is $name', ({ text }) => {
    expect(parseReport(text)).toBeUndefined();
  });

  it('keeps what is sound among garbage, and control characters out of terminals', () => {
    const policies = [
      null,
      7,
      { policy: 'ns/a', state: 'dancing', realised: 'done' },
      { policy: 'ns/b', uid: 'u', state: 'waiting', realised: 'none', reason: 'a\u001b[2Jb\nc', code: '<b>' },
    ];
    expect(parseReport(JSON.stringify({ version: 1, node: 'w1', policies }))?.policies).toEqual([
      { policy: 'ns/b', uid: 'u', state: 'waiting', realised: 'none', reason: 'a [2Jb c' },
    ]);
  });

  it("carries the kernel's refusal as the reason", () => {
    const state = {
      ...({
        policy: 'ns/a',
        uid: 'u',
        frontendType: 'clusterIP + port',
        state: 'active',
        reason: '',
      } as const),
      ...{ frontends: [], skipRedirectFromBackend: false },
    };
    const { policies } = reportOf({
      node: 'w1',
      table: { generation: 1, redirects: [], policies: [state] },
      realised: [{ policy: 'ns/a', state: 'error', error: 'the map is full' }],
    });
    expect(policies[0]).toMatchObject({ state: 'active', realised: 'error', reason: 'the map is full' });
  });
});
