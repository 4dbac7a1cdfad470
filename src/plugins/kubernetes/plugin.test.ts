import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../dns/encode-message.ts';
import { parseName } from '../../dns/name.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { createStore } from '../../store/store.ts';
import { directivesOf, fakeBlock, fakeHost } from '../fake-host.ts';
import { type AskOptions, ask } from '../fake-query.ts';
import { readCaseFile } from './cases/case-file.ts';
import { clusterSnapshot } from './cases/cluster-fixture.ts';
import { caseHandler } from './cases/run-case.ts';
import { parseKubernetes } from './parse-directive.ts';
import { describeQuery } from './query-metadata.ts';
import { createServiceIndex } from './view/service-index.ts';

const zone = readCaseFile(new URL('cases/zone.yaml', import.meta.url));
const aliases = readCaseFile(new URL('cases/external-name.yaml', import.meta.url));
const verified = readCaseFile(new URL('cases/pods-verified.yaml', import.meta.url));

function metadataOf(query: Query, file = zone): Record<string, string> {
  const host = fakeHost();
  const { options, need } = parseKubernetes({
    directives: directivesOf(file.corefile),
    block: fakeBlock,
    host,
  });
  const view = createServiceIndex({ clock: host.clock, kinds: need.kinds });
  view.follow(createStore(clusterSnapshot(file.cluster ?? {})));
  describeQuery({ options, view }, query);
  return Object.fromEntries(query.metadata);
}

describe('kubernetes metadata', () => {
  it.each([
    [
      '_http._tcp.svc1.testns.svc.cluster.local.',
      {
        'kubernetes/kind': 'svc',
        'kubernetes/namespace': 'testns',
        'kubernetes/service': 'svc1',
        'kubernetes/port-name': 'http',
        'kubernetes/protocol': 'tcp',
      },
    ],
    [
      'db-0.hdls.testns.svc.cluster.local.',
      {
        'kubernetes/kind': 'svc',
        'kubernetes/namespace': 'testns',
        'kubernetes/service': 'hdls',
        'kubernetes/endpoint': 'db-0',
      },
    ],
    ['testns.pod.cluster.local.', { 'kubernetes/kind': 'pod', 'kubernetes/namespace': 'testns' }],
    ['foo.cluster.local.', { 'kubernetes/parse-error': 'invalid query name' }],
    ['google.com.', {}],
  ])('tells what %s asks for', (qname, facts) => {
    expect(metadataOf(ask(qname))).toEqual(facts);
  });

  it('costs nothing where nobody asks for it', async () => {
    const query = ask('svc1.testns.svc.cluster.local.');
    await caseHandler(zone)(query);
    expect(query.metadata).toEqual(new Map());
  });

  it('tells the client pod when pods are verified', () => {
    const from: AskOptions = { client: '172.20.0.91' };
    expect(metadataOf(ask('google.com.', 'A', from), verified)).toEqual({
      'kubernetes/client-namespace': 'testns',
      'kubernetes/client-pod-name': 'client',
      'kubernetes/client-label/app': 'web',
    });
    expect(metadataOf(ask('google.com.', 'A', from), zone)).toEqual({});
  });
});

describe('kubernetes aliases', () => {
  it('answers SERVFAIL when the target outside cannot be resolved', async () => {
    const reply = await caseHandler(aliases)(ask('ext-silent.testns.svc.cluster.local.'));
    expect(reply).toMatchObject({
      rcode: 2,
      error: { message: 'Cannot resolve silent.example.net.: no answer' },
    });
    expect(reply.message).toBeUndefined();
  });

  it('answers at once when nobody else has to be asked', () => {
    expect(caseHandler(aliases)(ask('ext-inside.testns.svc.cluster.local.'))).not.toBeInstanceOf(Promise);
    expect(caseHandler(aliases)(ask('svc1.testns.svc.cluster.local.'))).not.toBeInstanceOf(Promise);
  });
});

/** Labels that mean something in a cluster, and labels that a hostile client would send. */
const label = fc.oneof(
  fc.constantFrom(
    'svc',
    'pod',
    'testns',
    'hdls',
    'svc1',
    '_tcp',
    '_http',
    'ns',
    'dns',
    '-',
    '--',
    '1-2-3-4',
    'ff--',
  ),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'a\\.b',
    '\\000',
    '\\255',
    '*',
    'x'.repeat(63),
    '_zone',
    'pin',
    'prefer',
    'east',
    'db',
    'fd00--1',
    '0-0-0-0',
  ),
);

describe('kubernetes and any name', () => {
  it.each(['zone', 'zonal', 'multicluster'])(
    'always gives a reply that fits on the wire: %s',
    async (file) => {
      const cases = readCaseFile(new URL(`cases/${file}.yaml`, import.meta.url));
      const handler = caseHandler({ ...cases, local: ['172.20.1.10'] });
      const types = fc.constantFrom(
        'A',
        'AAAA',
        'SRV',
        'PTR',
        'TXT',
        'CNAME',
        'NS',
        'SOA',
        'ANY',
        'TYPE0',
        'TYPE65535',
      );
      const suffix = fc.constantFrom(
        'cluster.local.',
        'ClusteR.LOCAL.',
        'in-addr.arpa.',
        'clusterset.local.',
      );
      await fc.assert(
        fc.asyncProperty(fc.array(label, { maxLength: 6 }), suffix, types, async (labels, tail, type) => {
          const qname = parseName([...labels, tail].join('.'));
          if (qname === undefined) return;
          const reply: Reply = await handler(ask(qname, type));
          // -1 is the next plugin's.
          expect([0, 3, -1]).toContain(reply.rcode);
          if (reply.message !== undefined) encodeMessage(reply.message);
        }),
        { numRuns: 500 },
      );
    },
  );
});
