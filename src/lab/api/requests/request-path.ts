/** What a URL asks for: `/api/v1/namespaces/NS/pods/NAME/status` and its relatives. */
import { apiVersionOf, RESOURCES, type Resource } from '../resources.ts';

export interface ResourcePath {
  readonly resource: Resource;
  /** Absent: all namespaces, or a cluster-scoped kind. */
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Undefined when the path is no object or collection of a known kind. */
export function parseResourcePath(pathname: string): ResourcePath | undefined {
  const steps = decodedSteps(pathname);
  if (steps === undefined) return undefined;
  const core = steps[0] === 'api';
  if (!core && steps[0] !== 'apis') return undefined;
  const apiVersion = core ? steps[1] : `${steps[1]}/${steps[2]}`;
  const rest = steps.slice(core ? 2 : 3);
  const namespaced =
    rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize';
  const [plural, name, subresource, more] = namespaced ? rest.slice(2) : rest;
  const resource = RESOURCES.find((known) => known.plural === plural && apiVersionOf(known) === apiVersion);
  if (resource === undefined || more !== undefined || (namespaced && !resource.namespaced)) return undefined;
  const namespace = namespaced ? rest[1] : undefined;
  return {
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function decodedSteps(pathname: string): readonly string[] | undefined {
  try {
    return pathname
      .split('/')
      .filter((step) => step !== '')
      .map(decodeURIComponent);
  } catch {
    // A stray percent sign: no path of ours has one.
    return undefined;
  }
}
