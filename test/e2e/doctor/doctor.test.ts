/**
 * Every check of the doctor against its fault, built for real in one running lab: not there before, found while it is there,
 * gone when it is mended. Run one with -t D07. Needs root.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../../src/doctor/report/report.ts';
import { restartPod, withCorefile } from './corefile/with-corefile.ts';
import { FAULTS } from './faults.ts';
import type { Mend } from './rig/cluster-objects.ts';
import { DoctorLab, found, podIn } from './rig/doctor-lab.ts';
import { CLIENT, type ExpectedFinding, type Fault, WORKER } from './rig/fault.ts';
import { machineState } from './rig/machine-state.ts';

/** Each look is a run of the command; what a fault makes may take its moment to be seen. */
const LOOKS = 3;
const CACHE = 'node-local-dns-dwrcm';
const DEFAULT_ARGS = ['--node', 'k8s-w1'];

let lab: DoctorLab;

beforeAll(async () => {
  lab = await DoctorLab.start();
}, 150_000);

afterAll(async () => {
  const { tookMs } = lab;
  const longest = Math.round(Math.max(...tookMs));
  console.log(`${tookMs.length} runs of zerohop doctor, the longest ${longest} ms`);
  await lab.stop();
}, 60_000);

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

describe('zerohop doctor in a healthy lab', () => {
  test('finds nothing, and every pod entered the cache of its own node', async () => {
    const report = await look([], ({ exitCode }) => exitCode === 0);
    expect(report.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    expect(report.blind).toEqual([]);
    for (const pod of [CLIENT, 'default/curl-pod'])
      expect(podIn(report, pod)).toMatchObject({ verdict: 'ENTERED' });
    expect(report.exitCode).toBe(0);
  });

  test('says who was probed and what became of it in its text', async () => {
    const { stdout, status } = await lab.run('doctor', '--pod', CLIENT);
    expect(stdout).toMatch(/ENTERED +default\/netshoot +on k8s-w1/);
    expect(status).toBe(0);
  });

  test('changes nothing', async () => {
    const before = await machineState(lab);
    await lab.doctor();
    expect(await machineState(lab)).toEqual(before);
  });
});

describe('zerohop doctor', () => {
  test.each(FAULTS.map((fault) => [`${fault.id} sees ${fault.name}`, fault] as const))(
    '%s',
    async (_, fault) => prove(fault),
    180_000,
  );
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

async function prove(fault: Fault): Promise<void> {
  const { id, finds, verdict, args = DEFAULT_ARGS } = fault;
  const isThere = (report: Report) => found(report, id).some((finding) => matches(finding, finds));
  const isGone = (report: Report) => !isThere(report);
  expect(found((await lab.doctor(...args)).report, id).filter((one) => matches(one, finds))).toEqual([]);
  const mends: Mend[] = [];
  try {
    await fault.build(lab, (mend) => void mends.unshift(mend));
    const isSo = (report: Report) =>
      verdict === undefined || podIn(report, verdict.pod)?.verdict === verdict.is;
    const report = await look(args, (one) => isThere(one) && isSo(one));
    expect(isThere(report) ? [] : told(report, id)).toEqual([]);
    expect(report.exitCode).toBe(report.findings.some(({ severity }) => severity !== 'info') ? 1 : 0);
    if (verdict !== undefined)
      expect(podIn(report, verdict.pod)).toMatchObject({
        verdict: verdict.is,
        ...(verdict.because === undefined ? {} : { because: verdict.because }),
      });
  } finally {
    for (const mend of mends) await mend();
  }
  const after = await look(args, (report) => isGone(report) && report.exitCode === 0);
  expect(found(after, id).filter((finding) => matches(finding, finds))).toEqual([]);
  // Whatever else the fault brought is gone with it.
  expect(after.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  expect(podIn(after, CLIENT)?.verdict).toBe('ENTERED');
}

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
