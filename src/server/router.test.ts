import { expect, test } from 'vitest';
import { name } from '../dns/testing/packets.ts';
import { findRoute, routerOf, type ServerRoute } from './router.ts';

const handler = () => ({ rcode: 0 });
const block = (...zones: string[]): ServerRoute => ({ zones: zones.map(name), handler });
const ask = (qname: string, type = 1) => ({ name: name(qname), type, class: 1 });

const stock = routerOf([block('.'), block('cluster.local', 'in-addr.arpa'), block('sub.cluster.local')]);
const withoutRoot = routerOf([block('example.org'), block('a.example.org')]);

test.each([
  { name: 'the longest zone wins', router: stock, qname: 'x.sub.cluster.local', zone: 'sub.cluster.local.' },
  { name: 'case does not matter', router: stock, qname: 'X.Cluster.LOCAL', zone: 'cluster.local.' },
  { name: 'the zone itself belongs to it', router: stock, qname: 'cluster.local', zone: 'cluster.local.' },
  { name: 'labels are compared whole', router: stock, qname: 'notcluster.local', zone: '.' },
  {
    name: 'every key of a block is a zone',
    router: stock,
    qname: '1.0.0.10.in-addr.arpa',
    zone: 'in-addr.arpa.',
  },
  { name: 'the rest is the root’s', router: stock, qname: 'google.com', zone: '.' },
  { name: 'the root is the root’s', router: stock, qname: '.', zone: '.' },
  { name: 'an escaped dot cuts no label', router: withoutRoot, qname: 'x\\.example.org', zone: undefined },
  {
    name: 'without a root block strangers match nothing',
    router: withoutRoot,
    qname: 'example.com',
    zone: undefined,
  },
])('findRoute: $name', ({ router, qname, zone }) => {
  expect(findRoute(router, ask(qname), () => true)?.zone).toBe(zone);
});

test.each([
  { name: 'a served parent answers', router: withoutRoot, qname: 'a.example.org', zone: 'example.org.' },
  {
    name: 'without a served parent the zone answers',
    router: withoutRoot,
    qname: 'example.org',
    zone: 'example.org.',
  },
  {
    name: 'the root block is no parent to another zone',
    router: stock,
    qname: 'cluster.local',
    zone: 'cluster.local.',
  },
  { name: 'the root block answers what nothing else serves', router: stock, qname: 'example.com', zone: '.' },
])('findRoute for DS: $name', ({ router, qname, zone }) => {
  expect(findRoute(router, ask(qname, 43), () => true)?.zone).toBe(zone);
});

test('among blocks of one zone the first whose view accepts is chosen, else the search goes on upwards', () => {
  const inside = { ...block('corp.test'), accepts: () => true };
  const outside = block('corp.test');
  const root = block('.');
  const router = routerOf([inside, outside, root]);
  expect(findRoute(router, ask('a.corp.test'), () => true)?.route).toBe(inside);
  expect(findRoute(router, ask('a.corp.test'), () => false)?.route).toBe(outside);
  const filtered = routerOf([inside, root]);
  expect(findRoute(filtered, ask('a.corp.test'), () => false)?.route).toBe(root);
});

test('one block that takes any class opens the listener', () => {
  expect(routerOf([block('a'), { ...block('b'), anyClass: true }]).anyClass).toBe(true);
  expect(routerOf([block('a')]).anyClass).toBe(false);
});
