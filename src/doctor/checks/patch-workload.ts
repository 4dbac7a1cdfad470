/** The command that changes how a workload's pods are run: what lasts, where a change of a pod does not. */
import { shellWord } from './shell-word.ts';

export interface PatchedWorkload {
  /** `DaemonSet`, `Deployment`, `StatefulSet`; others have no template that could be patched in this way. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const PATCHED = ['Deployment', 'DaemonSet', 'StatefulSet'];

/** `podSpec` is merged into the template's spec. Undefined for a kind without a template. */
export function patchWorkload(workload: PatchedWorkload, podSpec: object): string | undefined {
  if (!PATCHED.includes(workload.kind)) return undefined;
  const patch = JSON.stringify({ spec: { template: { spec: podSpec } } });
  return `${target(workload)} --type strategic -p ${shellWord(patch)}`;
}

/** Adds words to the arguments of the container at this place; the last of two flags counts. */
export function addArguments(
  workload: PatchedWorkload,
  container: number,
  args: readonly string[],
): string | undefined {
  if (!PATCHED.includes(workload.kind)) return undefined;
  const path = `/spec/template/spec/containers/${container}/args/-`;
  const patch = JSON.stringify(args.map((value) => ({ op: 'add', path, value })));
  return `${target(workload)} --type json -p ${shellWord(patch)}`;
}

/** `objectName` of a workload, in its parts. */
export function workloadOf(objectName: string): PatchedWorkload | undefined {
  const match = /^(\S+) ([^/]+)\/(.+)$/s.exec(objectName);
  if (match === null) return undefined;
  const [, kind = '', namespace = '', name = ''] = match;
  return { kind, namespace, name };
}

function target({ kind, namespace, name }: PatchedWorkload): string {
  return `kubectl patch ${kind.toLowerCase()} -n ${shellWord(namespace)} ${shellWord(name)}`;
}
