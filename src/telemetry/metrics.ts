/**
 * The metrics a component may create. Families are created once per process and name; `with` returns a bound child that
 * the hot path keeps, so that counting is one addition. Label values are given in the order of `labels`.
 */
export interface MetricSpec {
  /** Full name, e.g. `coredns_cache_hits_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export interface HistogramSpec extends MetricSpec {
  /** Upper bounds, ascending, without +Inf. */
  readonly buckets: readonly number[];
}

export interface Counter {
  inc(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
}

export interface Histogram {
  observe(value: number): void;
  /** What was observed elsewhere: how many up to which bound (`Infinity` for any), and what they add up to. */
  merge(counts: readonly BucketCount[], sum: number): void;
}

/** `upTo` is one of the histogram's bounds, or `Infinity`. */
export interface BucketCount {
  readonly upTo: number;
  readonly count: number;
}

export interface Family<T> {
  with(...labelValues: readonly string[]): T;
  /** Forgets all children: used when a reload changes what exists. */
  reset(): void;
}

export interface Metrics {
  /** A family asked for twice under one name is the same family. */
  counter(spec: MetricSpec): Family<Counter>;
  gauge(spec: MetricSpec): Family<Gauge>;
  histogram(spec: HistogramSpec): Family<Histogram>;
  /** Calls `collect` before each text is made: for figures that are added up elsewhere meanwhile. */
  beforeText(collect: () => void): void;
  /** Prometheus text exposition format 0.0.4, labels in alphabetical order. */
  text(): Promise<string>;
}

/** Content type of `Metrics.text()`. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
