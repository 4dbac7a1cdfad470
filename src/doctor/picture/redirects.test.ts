import { expect, it } from 'vitest';
import type { DnsServer } from './dns-picture.ts';
import { tellingLabels } from './redirects.ts';

const labelled = (labels: Readonly<Record<string, string>>) =>
  Object.fromEntries(tellingLabels({ spec: { labels } } as unknown as DnsServer));
const NAME = 'app.kubernetes.io/name';
const COMPONENT = 'app.kubernetes.io/component';

it.each([
  {
    name: 'the label of Kubernetes alone, wherever it stands',
    labels: { [NAME]: 'zerohop', [COMPONENT]: 'cache', 'k8s-app': 'node-local-dns' },
    telling: { 'k8s-app': 'node-local-dns' },
  },
  {
    name: 'name and component, for other parts of the product have the name, too',
    labels: { [NAME]: 'dns', [COMPONENT]: 'cache', 'controller-revision-hash': 'abc' },
    telling: { [NAME]: 'dns', [COMPONENT]: 'cache' },
  },
  { name: 'all there are', labels: { tier: 'dns', 'pod-template-hash': '1' }, telling: { tier: 'dns' } },
])('tellingLabels gives $name', ({ labels, telling }) => {
  expect(labelled(labels)).toEqual(telling);
});
