import { describe, expect, it } from 'vitest';
import { parseExposition } from './parse-exposition.ts';

const HEAD = '# HELP a_total Of a\n# TYPE a_total counter\n';

describe('parseExposition', () => {
  it('reads families with their samples, unescaped', () => {
    const text = `${HEAD}a_total{x="q\\"\\\\\\n",y=""} 1.5e+3\na_total 2\n`;
    expect(parseExposition(text).get('a_total')).toEqual({
      ...{ name: 'a_total', help: 'Of a', kind: 'counter' },
      samples: [
        { name: 'a_total', labels: { x: 'q"\\\n', y: '' }, value: 1500 },
        { name: 'a_total', labels: {}, value: 2 },
      ],
    });
  });

  it.each([
    { name: 'no end of the last line', text: `${HEAD}a_total 1` },
    { name: 'a sample without a family', text: 'a_total 1\n' },
    { name: 'a sample of another family', text: `${HEAD}b_total 1\n` },
    { name: 'a family that stands twice', text: `${HEAD}a_total 1\n${HEAD}` },
    { name: 'a family without help', text: '# TYPE a_total counter\na_total 1\n' },
    { name: 'a series that stands twice', text: `${HEAD}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n` },
    { name: 'a label that stands twice', text: `${HEAD}a_total{x="1",x="2"} 1\n` },
    { name: 'a quote in a value', text: `${HEAD}a_total{x="a"b"} 1\n` },
    { name: 'an unknown escape', text: `${HEAD}a_total{x="\\t"} 1\n` },
    { name: 'a comma too much', text: `${HEAD}a_total{x="1",} 1\n` },
    { name: 'no value', text: `${HEAD}a_total\n` },
    { name: 'a counter below zero', text: `${HEAD}a_total -1\n` },
    { name: 'a counter without _total', text: '# HELP a A\n# TYPE a counter\na 1\n' },
    {
      name: 'buckets that shrink',
      text: '# HELP h H\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    },
    {
      name: 'no last bucket',
      text: '# HELP h H\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 1\nh_count 2\n',
    },
  ])('refuses $name', ({ text }) => {
    expect(() => parseExposition(text)).toThrow();
  });
});
