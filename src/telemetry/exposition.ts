/**
 * Samples to Prometheus text format 0.0.4, by the client library everyone's scraper has been tested against. Only this
 * file knows the library, and it is loaded at the first scrape.
 */
import { Gauge, type MetricType, Registry } from 'prom-client';
import type { FamilySamples } from './registry.ts';

type Got = ReturnType<Gauge['get']>;

/** A family that was counted elsewhere: the library only writes it down. */
class CountedFamily extends Gauge {
  readonly #family: FamilySamples;

  constructor(family: FamilySamples, registry: Registry) {
    super({ name: family.name, help: family.help, registers: [registry] });
    this.#family = family;
  }

  override async get(): Got {
    const { name, help, kind, samples } = this.#family;
    const values = samples.map(({ suffix, labels, value }) => ({ metricName: name + suffix, labels, value }));
    // The library's types call the kind a number, its code prints it as the word.
    const type = kind as unknown as MetricType;
    return { name, help, type, aggregator: 'sum', collect: () => undefined, values };
  }
}

export async function formatExposition(families: readonly FamilySamples[]): Promise<string> {
  const registry = new Registry();
  for (const family of families) new CountedFamily(family, registry);
  return registry.metrics();
}
