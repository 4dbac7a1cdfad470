/**
 * What a client asks before it asks for anything: which groups, versions and kinds there are. The unaggregated form
 * only, which every kubectl falls back to.
 */
import { apiVersionOf, RESOURCES, type Resource } from '../resources.ts';

const ALL_VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
const READ_VERBS = ['get', 'list', 'watch'];

/** The document for a discovery path; undefined for every other path. */
export function discoveryDocument(pathname: string): unknown {
  const path = pathname.replace(/\/$/, '');
  switch (path) {
    case '/version':
      return serverVersion();
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupNames().map(groupDocument) };
  }
  const group = /^\/apis\/([^/]+)$/.exec(path)?.[1];
  if (group !== undefined) return groupNames().includes(group) ? groupDocument(group) : undefined;
  const apiVersion = /^\/api\/(v1)$/.exec(path)?.[1] ?? /^\/apis\/([^/]+\/[^/]+)$/.exec(path)?.[1];
  const resources = RESOURCES.filter((resource) => apiVersionOf(resource) === apiVersion);
  return resources.length === 0 ? undefined : resourceList(apiVersion ?? '', resources);
}

function groupNames(): readonly string[] {
  return [...new Set(RESOURCES.map((resource) => resource.group))].filter((group) => group !== '');
}

function groupDocument(name: string): unknown {
  const { version = 'v1' } = RESOURCES.find((resource) => resource.group === name) ?? {};
  const entry = { groupVersion: `${name}/${version}`, version };
  return { kind: 'APIGroup', apiVersion: 'v1', name, versions: [entry], preferredVersion: entry };
}

function resourceList(groupVersion: string, resources: readonly Resource[]): unknown {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: resources.flatMap((resource) => {
      const { plural, singular, namespaced, kind, shortNames, categories } = resource;
      const verbs = resource.readOnly ? READ_VERBS : ALL_VERBS;
      const main = { name: plural, singularName: singular, namespaced, kind, verbs, shortNames, categories };
      const status = {
        name: `${plural}/status`,
        singularName: '',
        namespaced,
        kind,
        verbs: ['get', 'patch', 'update'],
      };
      return resource.statusSubresource ? [main, status] : [main];
    }),
  };
}

/** The version whose behaviour the server follows, as far as it goes. */
function serverVersion(): unknown {
  return {
    major: '1',
    minor: '32',
    gitVersion: 'v1.32.0+zerohop-lab',
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: 'linux',
  };
}
