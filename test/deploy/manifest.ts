/** A Kubernetes object as a file holds it, and the parts of one that the tests here ask about. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, parseAllDocuments } from 'yaml';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly readinessProbe?: object;
  readonly livenessProbe?: object;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly hostPort?: number }[];
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  };
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

export interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: Container['securityContext'] & {
    readonly seccompProfile?: { readonly type: string };
  };
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}

export const KUSTOMIZE = new URL('../../deploy/kustomize/', import.meta.url).pathname;
export const OVERLAYS = ['cache-only', 'cache-and-agent', 'beside-cilium', 'agent-with-other-cache'] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** What `kubectl apply -k` would send. Nothing is asked of a cluster. */
export function kustomize(directory: string): readonly Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', `${KUSTOMIZE}${directory}`], { encoding: 'utf8' });
  return toManifests(parseAllDocuments(text), directory);
}

/** A kustomization of one's own, as a user would write it, beside ours. */
export function composed(name: string, base: string, components: readonly string[]): readonly Manifest[] {
  const directory = mkdtempSync(join(KUSTOMIZE, 'overlays', `.${name}-`));
  try {
    const lines = components.map((component) => `  - ../../components/${component}\n`).join('');
    writeFileSync(
      join(directory, 'kustomization.yaml'),
      `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../../${base}\ncomponents:\n${lines}`,
    );
    return kustomize(`overlays/${directory.split('/').at(-1)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Throws for YAML that is wrong, and for what is no object. Empty documents are left out, as helm and kubectl do. */
export function toManifests(documents: readonly Document.Parsed[], where: string): readonly Manifest[] {
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${where}: ${error.message}`);
    const value: unknown = document.toJS();
    if (value === null) return [];
    if (typeof value !== 'object' || !('kind' in value)) throw new Error(`${where}: not an object`);
    return [value as Manifest];
  });
}

export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}

export function find(objects: readonly Manifest[], kind: string, name: string): Manifest {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

export function podSpec(daemonSet: Manifest): PodSpec {
  const { template } = daemonSet.spec as { readonly template: { readonly spec: PodSpec } };
  return template.spec;
}

export function firstContainer(daemonSet: Manifest): Container {
  const [container] = podSpec(daemonSet).containers;
  if (container === undefined) throw new Error(`${nameOf(daemonSet)} has no container`);
  return container;
}
