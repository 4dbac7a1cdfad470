import { describe, expect, it } from 'vitest';
import { formatExposition } from './exposition.ts';
import { processMetrics } from './process-metrics.ts';
import { createRegistry } from './registry.ts';

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('# HELP'));
}

describe('createRegistry', () => {
  it('prints counters with their labels in alphabetical order', async () => {
    const metrics = createRegistry(formatExposition);
    const family = metrics.counter({ name: 'c_total', help: 'h', labels: ['server', 'rcode', 'plugin'] });
    const child = family.with('dns://:53', 'NOERROR', '');
    child.inc();
    child.inc(2);
    expect(lines(await metrics.text())).toEqual([
      '# TYPE c_total counter',
      'c_total{plugin="",rcode="NOERROR",server="dns://:53"} 3',
    ]);
  });

  it('shows a family without labels before it was used, and no labelled one', async () => {
    const metrics = createRegistry(formatExposition);
    metrics.counter({ name: 'a_total', help: 'h', labels: [] });
    metrics.counter({ name: 'b_total', help: 'h', labels: ['x'] });
    expect(lines(await metrics.text())).toEqual(['# TYPE a_total counter', 'a_total 0']);
  });

  it('gives the same family to all who ask for the name, and forgets children on reset', async () => {
    const metrics = createRegistry(formatExposition);
    const spec = { name: 'g', help: 'h', labels: ['x'] };
    metrics.gauge(spec).with('1').set(5);
    metrics.gauge(spec).with('2').set(7);
    expect(lines(await metrics.text())).toEqual(['# TYPE g gauge', 'g{x="1"} 5', 'g{x="2"} 7']);
    metrics.gauge(spec).reset();
    expect(await metrics.text()).not.toContain('g{');
    expect(() => metrics.counter(spec)).toThrow('it is a gauge already');
  });

  it('counts a histogram up to and including each bound', async () => {
    const metrics = createRegistry(formatExposition);
    const child = metrics.histogram({ name: 'h', help: 'h', labels: ['z'], buckets: [1, 2.5] }).with('q');
    for (const value of [0.5, 1, 2, 100]) child.observe(value);
    expect(lines(await metrics.text())).toEqual([
      '# TYPE h histogram',
      'h_bucket{le="1",z="q"} 2',
      'h_bucket{le="2.5",z="q"} 3',
      'h_bucket{le="+Inf",z="q"} 4',
      'h_sum{z="q"} 103.5',
      'h_count{z="q"} 4',
    ]);
  });

  it('merges what was observed elsewhere into the same buckets as if it had been observed here', async () => {
    const metrics = createRegistry(formatExposition);
    const spec = { name: 'h', help: 'h', labels: [], buckets: [1, 2.5] };
    metrics.histogram(spec).with().observe(2);
    metrics
      .histogram(spec)
      .with()
      .merge(
        [
          { upTo: 1, count: 3 },
          { upTo: 2.5, count: 1 },
          { upTo: Number.POSITIVE_INFINITY, count: 2 },
        ],
        70,
      );
    expect(lines(await metrics.text())).toEqual([
      '# TYPE h histogram',
      'h_bucket{le="1"} 3',
      'h_bucket{le="2.5"} 5',
      'h_bucket{le="+Inf"} 7',
      'h_sum 72',
      'h_count 7',
    ]);
  });

  it('asks those who add up elsewhere before it makes a text', async () => {
    const metrics = createRegistry(formatExposition);
    const child = metrics.counter({ name: 'c_total', help: 'h', labels: [] }).with();
    metrics.beforeText(() => child.inc(2));
    expect(lines(await metrics.text())).toContain('c_total 2');
    expect(lines(await metrics.text())).toContain('c_total 4');
  });

  it('adds the figures of the process under the names dashboards use', async () => {
    const text = await createRegistry(formatExposition, processMetrics).text();
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds']) {
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    }
  });

  it('escapes what would break a line', async () => {
    const metrics = createRegistry(formatExposition);
    metrics
      .counter({ name: 'c', help: 'h', labels: ['x'] })
      .with('a"b\\c\nd')
      .inc();
    expect(await metrics.text()).toContain('c{x="a\\"b\\\\c\\nd"} 1');
  });
});
