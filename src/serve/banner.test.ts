import { expect, it } from 'vitest';
import { zoneLines } from './banner.ts';
import { corefile } from './fake-environment.ts';
import { planBlocks } from './plan/block-plan.ts';
import { planListeners } from './plan/listener-plan.ts';

const lines = (text: string, listenOn: Parameters<typeof planListeners>[0][number]['listenOn'] = []) =>
  zoneLines(planListeners(planBlocks(corefile(text), 53).map((plan) => ({ plan, listenOn, hasView: true }))));

it.each([
  ['plain DNS', '. {\n}', ['.:53']],
  [
    'zones sorted within a listener',
    'b.org a.org:53 {\n}\ncluster.local {\n}',
    ['a.org.:53', 'b.org.:53', 'cluster.local.:53'],
  ],
  ['DNS over TLS', 'tls://. {\n}', ['tls://.:853']],
  ['one line for a zone of several views', '. {\n}\n. {\n}', ['.:53']],
  [
    'zones with odd names, except reverse zones',
    '1.org 10.0.0.0/8 {\n}',
    ['Warning: Domain "1.org." does not follow RFC1035 preferred syntax', '1.org.:53', '10.in-addr.arpa.:53'],
  ],
])('announces %s', (_name, text, expected) => {
  expect(lines(text).toSorted()).toEqual(expected.toSorted());
});
