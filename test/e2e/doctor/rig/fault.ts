/** A fault as a value: how it is built in the running lab, and what the doctor must say while it is there. */
import type { CheckId, Severity } from '../../../../src/doctor/check.ts';
import type { Verdict } from '../../../../src/doctor/report/report.ts';
import type { Mend } from './cluster-objects.ts';
import type { DoctorLab } from './doctor-lab.ts';

/** Mends are run in the opposite order, also when the rest could not be built. */
export type Keep = (mend: Mend) => void;

export interface Fault {
  readonly id: CheckId;
  /** Goes on after "sees", as the name of its test. */
  readonly name: string;
  /** Of the doctor, besides `-o json`. Default: the worker node only. */
  readonly args?: readonly string[];
  /** Resolves when the fault is there for real. What takes it away is kept as soon as there is something to take away. */
  build(lab: DoctorLab, keep: Keep): Promise<void>;
  readonly finds: ExpectedFinding;
  /** What becomes of a pod's queries while the fault is there; absent where they are none the worse for it. */
  readonly verdict?: { readonly pod: string; readonly is: Verdict; readonly because?: CheckId };
}

export interface ExpectedFinding {
  readonly severity: Severity;
  readonly node?: string;
  readonly pod?: string;
  readonly object?: string;
  /** Each must be in one line of the evidence, or of the cause. */
  readonly says: readonly (string | RegExp)[];
}

export const CLIENT = 'default/netshoot';
export const WORKER = 'k8s-w1';
export const CONTROL = 'k8s-ctr';
