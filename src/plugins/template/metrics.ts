/** The metrics of `template`, under the names dashboards know (dns-server 8). */
import type { Metrics } from '../../telemetry/metrics.ts';

export type Section = 'answer' | 'additional' | 'authority';

/** Values of the labels that all three have. */
export type MatchLabels = readonly [
  server: string,
  zone: string,
  view: string,
  className: string,
  type: string,
];

export interface TemplateMetrics {
  readonly matched: (labels: MatchLabels) => void;
  readonly failed: (
    kind: 'template' | 'rr',
    labels: MatchLabels,
    where: { section: Section; source: string },
  ) => void;
}

const MATCH_LABELS = ['server', 'zone', 'view', 'class', 'type'];
const FAILURE_LABELS = [...MATCH_LABELS, 'section', 'template'];

export function templateMetrics(metrics: Metrics): TemplateMetrics {
  const matches = metrics.counter({
    name: 'coredns_template_matches_total',
    help: 'Queries that a template has answered',
    labels: MATCH_LABELS,
  });
  const template = metrics.counter({
    name: 'coredns_template_template_failures_total',
    help: 'Templates that could not be carried out',
    labels: FAILURE_LABELS,
  });
  const rr = metrics.counter({
    name: 'coredns_template_rr_failures_total',
    help: 'Texts from templates that were no record',
    labels: FAILURE_LABELS,
  });
  const failures = { template, rr };
  return {
    matched: (labels) => matches.with(...labels).inc(),
    failed: (kind, labels, { section, source }) => failures[kind].with(...labels, section, source).inc(),
  };
}
