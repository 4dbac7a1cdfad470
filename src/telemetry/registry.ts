/**
 * Metrics as plain numbers: counting is an addition on a child that the caller keeps, and text is only made when
 * somebody scrapes. Families without labels exist, at zero, from the moment they are created.
 */
import type {
  BucketCount,
  Counter,
  Family,
  Gauge,
  Histogram,
  HistogramSpec,
  MetricSpec,
  Metrics,
} from './metrics.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** One line of the exposition: a suffix such as `_bucket`, label names to values, the number. */
export interface Sample {
  readonly suffix: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface FamilySamples {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly samples: readonly Sample[];
}

/** Turns samples into text; loaded at the first scrape only. */
export type Format = (families: readonly FamilySamples[]) => Promise<string>;

interface Child {
  samples(labels: Readonly<Record<string, string>>): readonly Sample[];
}

interface StoredFamily {
  readonly kind: MetricKind;
  readonly family: Family<Child>;
  collect(): FamilySamples;
}

class CounterChild implements Counter, Child {
  #value = 0;
  inc(by = 1): void {
    this.#value += by;
  }
  samples(labels: Readonly<Record<string, string>>): readonly Sample[] {
    return [{ suffix: '', labels, value: this.#value }];
  }
}

class GaugeChild implements Gauge, Child {
  #value = 0;
  set(value: number): void {
    this.#value = value;
  }
  samples(labels: Readonly<Record<string, string>>): readonly Sample[] {
    return [{ suffix: '', labels, value: this.#value }];
  }
}

class HistogramChild implements Histogram, Child {
  readonly #bounds: readonly number[];
  /** One more than bounds: the last is beyond all of them. */
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.#bounds.length && value > (this.#bounds[i] ?? 0)) i++;
    this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    this.#sum += value;
  }

  merge(counts: readonly BucketCount[], sum: number): void {
    for (const { upTo, count } of counts) {
      const found = this.#bounds.findIndex((bound) => upTo <= bound);
      const i = found < 0 ? this.#bounds.length : found;
      this.#counts[i] = (this.#counts[i] ?? 0) + count;
    }
    this.#sum += sum;
  }

  samples(labels: Readonly<Record<string, string>>): readonly Sample[] {
    let total = 0;
    const buckets = [...this.#bounds, Number.POSITIVE_INFINITY].map((bound, i) => {
      total += this.#counts[i] ?? 0;
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
      return { suffix: '_bucket', labels: sortLabels({ ...labels, le }), value: total };
    });
    return [
      ...buckets,
      { suffix: '_sum', labels, value: this.#sum },
      { suffix: '_count', labels, value: total },
    ];
  }
}

/** `live` families are read at each scrape: the process's own figures. */
export function createRegistry(format: Format, live: () => readonly FamilySamples[] = () => []): Metrics {
  const families = new Map<string, StoredFamily>();
  const collectors: (() => void)[] = [];

  function family<C extends Child>(kind: MetricKind, spec: MetricSpec, make: () => C): Family<C> {
    const known = families.get(spec.name);
    if (known !== undefined) {
      if (known.kind === kind) return known.family as Family<C>;
      throw new Error(`Cannot make ${kind} ${spec.name}: it is a ${known.kind} already`);
    }
    const created = createFamily(kind, spec, make);
    families.set(spec.name, created);
    return created.family;
  }

  return {
    counter: (spec) => family('counter', spec, () => new CounterChild()),
    gauge: (spec) => family('gauge', spec, () => new GaugeChild()),
    histogram: (spec: HistogramSpec) => family('histogram', spec, () => new HistogramChild(spec.buckets)),
    beforeText: (collect) => void collectors.push(collect),
    text: () => {
      for (const collect of collectors) collect();
      const stored = [...families.values()].map((entry) => entry.collect());
      const all = [...stored, ...live()].filter(({ samples }) => samples.length > 0);
      return format(all.sort((a, b) => (a.name < b.name ? -1 : 1)));
    },
  };
}

function createFamily<C extends Child>(
  kind: MetricKind,
  spec: MetricSpec,
  make: () => C,
): StoredFamily & { family: Family<C> } {
  const children = new Map<string, { labels: Readonly<Record<string, string>>; child: C }>();
  const bind = (...values: readonly string[]): C => {
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\u0000');
    const known = children.get(key);
    if (known !== undefined) return known.child;
    if (values.length !== spec.labels.length) {
      throw new Error(
        `Cannot bind ${spec.name}: it has ${spec.labels.length} labels: received ${values.length}`,
      );
    }
    const pairs = spec.labels.map((label, i): [string, string] => [label, values[i] ?? '']);
    const child = make();
    children.set(key, { labels: sortLabels(Object.fromEntries(pairs)), child });
    return child;
  };
  const unlabelled = () => {
    if (spec.labels.length === 0) bind();
  };
  unlabelled();
  return {
    kind,
    family: {
      with: bind,
      reset() {
        children.clear();
        unlabelled();
      },
    },
    collect: () => ({
      name: spec.name,
      help: spec.help,
      kind,
      samples: [...children.values()].flatMap(({ labels, child }) => child.samples(labels)),
    }),
  };
}

/** Alphabetical, as Go's client prints them; scripts cut lines at fixed places. */
function sortLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
