/**
 * Objects held against Kubernetes' published schemas, of an old version (1.27, a floor below the oldest we support) and of
 * a new one. The validators know types, formats and what is required; that a field exists at all is what the types of the
 * same packages say, so unknown fields are found by the compiler. Deliberately absent: rules that only an API server has.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, nameOf } from './manifest.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
/** Inside the tree, so that the packages are found from there. */
const SCRATCH = join(ROOT, 'node_modules', '.cache', 'zerohop-deploy');

export const SCHEMAS = [
  { version: '1.27', core: 'kubernetes-models-floor' },
  { version: 'newest', core: 'kubernetes-models' },
] as const;
export type Schema = (typeof SCHEMAS)[number];

/** Definitions of other projects come from packages of their own; ours is checked by its own definition. */
const MONITORING = 'monitoring.coreos.com/v1';

interface Model {
  validate(): void;
}
type ModelClass = new (data: object) => Model;

/** Path of the package's module, undefined for a kind that no package describes. */
function modulePath({ core }: Schema, { apiVersion }: Manifest): string | undefined {
  if (apiVersion === MONITORING) return `@kubernetes-models/prometheus-operator/${MONITORING}`;
  const group = apiVersion.split('/')[0] ?? '';
  const isCore = !group.includes('.') || group.endsWith('.k8s.io');
  return isCore ? `${core}/${apiVersion}` : undefined;
}

/** What the schema has against the objects, a line each. */
export async function violations(schema: Schema, objects: readonly Manifest[]): Promise<readonly string[]> {
  const lines = await Promise.all(
    objects.map(async (object) => {
      const path = modulePath(schema, object);
      if (path === undefined) return [];
      const models = (await import(path)) as Readonly<Record<string, ModelClass>>;
      const Kind = models[object.kind];
      if (Kind === undefined) return [`${nameOf(object)}: ${path} has no such kind`];
      try {
        new Kind(object).validate();
        return [];
      } catch (error) {
        return [`${nameOf(object)}: ${error instanceof Error ? error.message : String(error)}`];
      }
    }),
  );
  return lines.flat();
}

/** What the compiler has against the objects as literals of the schema's types. */
export function unknownFields(schema: Schema, objects: readonly Manifest[]): readonly string[] {
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'types-'));
  try {
    const file = join(directory, 'objects.ts');
    writeFileSync(file, objects.flatMap((object, index) => literal(schema, object, index)).join('\n'));
    const flags = ['--noEmit', '--skipLibCheck', '--strict', '--pretty', 'false', '--ignoreConfig'];
    const modules = ['--module', 'nodenext', '--moduleResolution', 'nodenext', '--types', ''];
    execFileSync(process.execPath, [TSC, ...flags, ...modules, file], { encoding: 'utf8' });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (stdout === undefined || stdout === '') throw error;
    return stdout.trimEnd().split('\n');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function literal(schema: Schema, object: Manifest, index: number): readonly string[] {
  const path = modulePath(schema, object);
  if (path === undefined) return [];
  return [
    `import type { I${object.kind} as Kind${index} } from '${path}';`,
    `/* ${nameOf(object)} */ export const object${index}: Kind${index} = ${JSON.stringify(object)};`,
  ];
}
