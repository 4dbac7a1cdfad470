import { describe, expect, it } from 'vitest';
import type { EndpointRow } from '../../../cluster/rows.ts';
import { ip } from '../../fake-query.ts';
import { endpointHost } from './endpoint-host.ts';

const bare: EndpointRow = { addresses: [ip('10.1.2.3')], ready: true, serving: true, terminating: false };
const ofPod = (name: string): EndpointRow => ({ ...bare, targetPod: { namespace: 'ns', name } });

describe('endpointHost', () => {
  it.each([
    ['the hostname before all else', { ...ofPod('pod-0'), hostname: 'db-0' }, '10.1.2.3', true, 'db-0'],
    ['the pod name when asked for', ofPod('pod-0'), '10.1.2.3', true, 'pod-0'],
    ['the address when pod names are off', ofPod('pod-0'), '10.1.2.3', false, '10-1-2-3'],
    ['a pod name of 63 octets', ofPod('p'.repeat(63)), '10.1.2.3', true, 'p'.repeat(63)],
    ['the address when the pod name is no label', ofPod('p'.repeat(64)), '10.1.2.3', true, '10-1-2-3'],
    ['an empty hostname as none', { ...bare, hostname: '' }, '10.1.2.3', false, '10-1-2-3'],
    ['an IPv6 address with dashes', bare, 'fd00::1', false, 'fd00--1'],
    ['a 0 where the label would end in a dash', bare, 'fd00::', false, 'fd00--0'],
  ])('takes %s', (_case, endpoint, address, podNames, host) => {
    expect(endpointHost(endpoint, ip(address), podNames)).toBe(host);
  });
});
