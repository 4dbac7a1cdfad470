/** Renders our chart as `helm template` would: values over defaults, schema first, files in order, CRDs apart. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { type Manifest, toManifests } from './manifest.ts';
import { parseTemplate } from './template/parse-template.ts';
import { runTemplate } from './template/run-template.ts';

const CHART = new URL('../../deploy/helm/zerohop/', import.meta.url).pathname;

export interface RenderedChart {
  readonly objects: readonly Manifest[];
  readonly notes: string;
}

/** `namespace` as given to `helm install -n`. Throws for a template outside the subset. */
export function renderChart(values: object = {}, namespace = 'kube-system'): RenderedChart {
  const chart = readYaml('Chart.yaml') as Readonly<Record<string, unknown>>;
  const root = {
    Values: mergeValues(readYaml('values.yaml'), values),
    Release: { Name: 'zerohop', Namespace: namespace, Service: 'Helm' },
    Chart: { Name: chart.name, Version: chart.version, AppVersion: chart.appVersion },
    Files: { Get: (path: string) => readFileSync(join(CHART, path), 'utf8') },
  };
  const files = readdirSync(join(CHART, 'templates')).sort();
  const parsed = files.map((name) => ({
    name,
    template: parseTemplate(name, readFileSync(join(CHART, 'templates', name), 'utf8')),
  }));
  const defines = new Map(parsed.flatMap(({ template }) => [...template.defines]));
  const rendered = parsed
    .filter(({ name }) => !name.startsWith('_'))
    .map(({ name, template }) => ({ name, text: runTemplate(template, { root, defines, name }) }));
  return {
    objects: rendered
      .filter(({ name }) => name.endsWith('.yaml'))
      .flatMap(({ text, name }) => toManifests(parseAllDocuments(text), name)),
    notes: rendered.find(({ name }) => name === 'NOTES.txt')?.text ?? '',
  };
}

/** What `helm install` puts there before the templates, when nothing of that name is there. */
export function chartDefinitions(): readonly Manifest[] {
  return readdirSync(join(CHART, 'crds')).flatMap((name) =>
    toManifests(parseAllDocuments(readFileSync(join(CHART, 'crds', name), 'utf8')), name),
  );
}

export function valuesSchema(): object {
  return JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as object;
}

export function defaultValues(): unknown {
  return readYaml('values.yaml');
}

/** Maps are merged key by key, everything else is replaced, and null takes a default away. */
export function mergeValues(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete merged[key];
    else merged[key] = key in base ? mergeValues(base[key], value) : value;
  }
  return merged;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readYaml(name: string): unknown {
  return parse(readFileSync(join(CHART, name), 'utf8'));
}
