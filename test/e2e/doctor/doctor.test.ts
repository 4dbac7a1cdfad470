/**
 * Every check of the doctor against its fault, built for real in one running lab: not there before, found while it is there,
 * gone when it is mended. One round of them is run by its name (-t 'no policy'). Needs root.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../../src/doctor/report/report.ts';
import { errorText } from '../../../src/fault/app-error.ts';
import { restartPod, withCorefile } from './corefile/with-corefile.ts';
import { ROUNDS } from './faults.ts';
import type { Mend } from './rig/cluster-objects.ts';
import { DoctorLab, found, PATIENCE_SECONDS, podIn } from './rig/doctor-lab.ts';
import { CLIENT, type ExpectedFinding, type Fault, WORKER } from './rig/fault.ts';
import { machineState } from './rig/machine-state.ts';

/** Each look is a run of the command; what a fault makes may take its moment to be seen. */
const LOOKS = 3;
const CACHE = 'node-local-dns-dwrcm';
const DEFAULT_ARGS = ['--node', 'k8s-w1'];

let lab: DoctorLab;
/** The last report of a lab without faults: what a round begins with is what the one before it ended with. */
let healthy: Report | undefined;

beforeAll(async () => {
  lab = await DoctorLab.start();
  return async () => {
    const longest = Math.round(Math.max(0, ...lab.tookMs));
    console.log(`${lab.tookMs.length} runs of zerohop doctor, the longest ${longest} ms`);
    await lab.stop();
  };
}, 150_000);

/** Runs the doctor until it says what is waited for; the last report otherwise, for the assertion to show. */
async function look(args: readonly string[], isIt: (report: Report) => boolean): Promise<Report> {
  for (let left = LOOKS; ; left--) {
    const { report } = await lab.doctor(...args);
    if (isIt(report) || left === 1) return report;
  }
}

/** The finding in the words of the expectation, so that a difference shows what was said instead. */
function matches(finding: Report['findings'][number], { says, ...fields }: ExpectedFinding): boolean {
  const lines = [...finding.evidence, finding.cause];
  const same = Object.entries(fields).every(([key, value]) => finding[key as keyof typeof finding] === value);
  const told = says.every((one) =>
    lines.some((line) => (typeof one === 'string' ? line.includes(one) : one.test(line))),
  );
  return same && told;
}

/** One that fails keeps none of the others from being done: what is left broken would be every later round's. */
async function mendAll(mends: readonly Mend[]): Promise<void> {
  const troubles: unknown[] = [];
  for (const mend of mends) {
    try {
      await mend();
    } catch (error) {
      troubles.push(error);
    }
  }
  if (troubles.length > 0) throw new AggregateError(troubles, troubles.map(errorText).join('; '));
}

describe('zerohop doctor in a healthy lab', () => {
  test('finds nothing, and every pod entered the cache of its own node', async () => {
    const report = await look([], ({ exitCode, blind }) => exitCode === 0 && blind.length === 0);
    expect(report.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    expect(report.blind).toEqual([]);
    for (const pod of [CLIENT, 'default/curl-pod'])
      expect(podIn(report, pod)).toMatchObject({ verdict: 'ENTERED' });
    expect(report.exitCode).toBe(0);
  });

  test('says who was probed and what became of it in its text', async () => {
    const { stdout, status } = await lab.run('doctor', '--pod', CLIENT, '--timeout', PATIENCE_SECONDS);
    expect(stdout).toMatch(/ENTERED +default\/netshoot +on k8s-w1/);
    expect(status).toBe(0);
  });

  test('changes nothing', async () => {
    const before = await machineState(lab);
    await lab.doctor();
    expect(await machineState(lab)).toEqual(before);
  });
});

describe.each(ROUNDS)('zerohop doctor, $name:', ({ faults }) => {
  const args = faults.some((fault) => fault.args !== undefined) ? [] : DEFAULT_ARGS;
  const troubles = new Map<Fault, unknown>();
  let before: Report;
  let during: Report;
  let after: Report;

  beforeAll(async () => {
    before = healthy ?? (await look(args, isHealthy));
    const mends: Mend[] = [];
    try {
      for (const fault of faults) {
        await fault
          .build(lab, (mend) => void mends.unshift(mend))
          .catch((error: unknown) => troubles.set(fault, error));
      }
      during = await look(args, (report) => faults.every((fault) => isSeen(report, fault)));
    } finally {
      await mendAll(mends);
    }
    after = await look(args, isHealthy);
    healthy = isHealthy(after) ? after : undefined;
  }, 240_000);

  test.each(faults.map((fault) => [`${fault.id} sees ${fault.name}`, fault] as const))('%s', (_, fault) => {
    if (troubles.has(fault)) throw troubles.get(fault);
    const { id, finds, verdict } = fault;
    expect(seen(before, fault)).toEqual([]);
    expect(seen(during, fault).length > 0 ? [] : told(during, id)).toEqual([]);
    if (verdict !== undefined)
      expect(podIn(during, verdict.pod)).toMatchObject({
        verdict: verdict.is,
        ...(verdict.because === undefined ? {} : { because: verdict.because }),
      });
    if (finds.severity !== 'info') expect(during.exitCode).toBe(1);
    expect(seen(after, fault)).toEqual([]);
  });

  test('nothing of it is left', () => {
    expect(after.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    expect(podIn(after, CLIENT)?.verdict).toBe('ENTERED');
    expect(after.exitCode).toBe(0);
  });
});

/** Not a fault, and there in every cluster with CoreDNS: so it is made to go, and comes again. */
test('zerohop doctor explains "Got recursion not available", and calls nothing broken', async () => {
  const { text } = await lab.inPod(CLIENT, 'nslookup', 'www.google.com');
  expect(text).toContain('Got recursion not available from 10.96.0.10');
  const first = await look(DEFAULT_ARGS, (report) => found(report, 'D31').length === 1);
  expect(found(first, 'D31')).toMatchObject([{ severity: 'info', node: WORKER }]);
  expect(first.exitCode).toBe(0);
  const mend = await withCorefile(lab, 'node-local-dns', (corefile) =>
    corefile.replace(
      'cluster.local:53 {',
      'cluster.local:53 {\n    header {\n        response set ra\n    }',
    ),
  );
  try {
    await restartPod(lab, CACHE);
    const without = await look(DEFAULT_ARGS, (report) => found(report, 'D31').length === 0);
    expect(found(without, 'D31')).toEqual([]);
  } finally {
    await mend();
    await restartPod(lab, CACHE);
  }
  const again = await look(DEFAULT_ARGS, (report) => found(report, 'D31').length === 1);
  expect(found(again, 'D31')).toHaveLength(1);
}, 120_000);

const isHealthy = (report: Report) => report.exitCode === 0 && podIn(report, CLIENT)?.verdict === 'ENTERED';

const seen = (report: Report, { id, finds }: Fault) =>
  found(report, id).filter((finding) => matches(finding, finds));

const isSeen = (report: Report, fault: Fault) =>
  seen(report, fault).length > 0 &&
  (fault.verdict === undefined || podIn(report, fault.verdict.pod)?.verdict === fault.verdict.is);

/** What is shown where the expected finding is missing: those of the check, or the names of all there are. */
function told(report: Report, id: string): readonly unknown[] {
  const own = found(report, id);
  return own.length > 0
    ? own
    : [
        `no ${id}`,
        ...report.findings.map(({ key, evidence }) => `${key}: ${evidence[0]}`),
        ...report.blind.map((blind) => JSON.stringify(blind)),
      ];
}
