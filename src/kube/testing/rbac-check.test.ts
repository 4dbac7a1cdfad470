import { describe, expect, it } from 'vitest';
import { isGranted, requestOf } from './rbac-check.ts';

describe('the check of rules', () => {
  it.each([
    { method: 'GET', url: '/api/v1/pods?limit=500', verb: 'list', resource: 'pods' },
    { method: 'GET', url: '/api/v1/pods?watch=true', verb: 'watch', resource: 'pods' },
    { method: 'GET', url: '/api/v1/namespaces', verb: 'list', resource: 'namespaces' },
    {
      method: 'PATCH',
      url: '/apis/cilium.io/v2/namespaces/a/ciliumlocalredirectpolicies/b',
      verb: 'patch',
      resource: 'ciliumlocalredirectpolicies',
    },
    { method: 'PUT', url: '/api/v1/namespaces/a/pods/b/status', verb: 'update', resource: 'pods/status' },
    { method: 'DELETE', url: '/api/v1/namespaces/a/pods', verb: 'deletecollection', resource: 'pods' },
  ])('reads $method $url as $verb of $resource', ({ method, url, verb, resource }) => {
    expect(requestOf(method, url)).toMatchObject({ verb, resource });
  });

  it('refuses what no rule grants, and a Role outside its namespace', () => {
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }];
    const list = (namespace: string) => ({ verb: 'list', apiGroup: '', resource: 'pods', namespace });
    expect(isGranted({ verb: 'watch', apiGroup: '', resource: 'pods' }, { cluster: rules })).toBe(false);
    const inNamespace = { namespace: 'a', rules };
    expect(isGranted(list('a'), { cluster: [], inNamespace })).toBe(true);
    expect(isGranted(list('b'), { cluster: [], inNamespace })).toBe(false);
  });
});
