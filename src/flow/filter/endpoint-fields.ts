/** Fields of a filter about one end of a flow (spec hubble 6.4): address, port, pod, service, labels, names, workload, cluster. */
import { ok } from '../../fault/result.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { parsePrefix, prefixContains } from '../../net/prefix.ts';
import { type Endpoint, type Flow, flowPorts, type ServiceRef } from '../api.ts';
import { anyOf, type FieldCompiler, invalid, isCount, isRecord, type Side, text } from './field-compiler.ts';
import { compileLabelSelector } from './label-selector.ts';
import { compileDomainPattern } from './name-pattern.ts';

/** Addresses compare in their normal form, whatever a server writes; prefixes contain. */
export function addressField(pick: (flow: Flow) => string | undefined): FieldCompiler {
  return text((value) => {
    const prefix = parsePrefix(value);
    if (prefix !== undefined) {
      return ok((flow) => {
        const address = normal(pick(flow));
        return address !== undefined && prefixContains(prefix, address);
      });
    }
    const address = parseIp(value);
    if (address === undefined) return invalid(`${JSON.stringify(value)} is neither an address nor a prefix`);
    return ok((flow) => pick(flow) === address || normal(pick(flow)) === address);
  });
}

function normal(address: string | undefined): Ip | undefined {
  return address === undefined ? undefined : parseIp(address);
}

export function portField(side: Side): FieldCompiler {
  return text((value) => {
    const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
    if (!(port <= 65535)) return invalid(`${JSON.stringify(value)} is not a port`);
    return ok((flow) => flowPorts(flow)[`${side}_port`] === port);
  });
}

/** `ns/prefix`, `ns/` the whole namespace, `/prefix` any namespace, a bare name means namespace default. */
function parseNamePattern(pattern: string): { readonly namespace: string; readonly prefix: string } {
  const slash = pattern.indexOf('/');
  if (slash < 0) return { namespace: 'default', prefix: pattern };
  return { namespace: pattern.slice(0, slash), prefix: pattern.slice(slash + 1) };
}

/** `/` alone is any pod of any namespace, as `--all-namespaces` asks. */
export function podField(side: Side): FieldCompiler {
  return text((value) => {
    if (value === '') return invalid('a pod needs a name or a namespace');
    const { namespace, prefix } = parseNamePattern(value);
    return ok((flow) => {
      const end: Endpoint = flow[side];
      if (namespace === '' ? end.namespace === undefined : end.namespace !== namespace) return false;
      return prefix === '' || (end.pod_name?.startsWith(prefix) ?? false);
    });
  });
}

export function serviceField(side: Side): FieldCompiler {
  return text((value) => {
    if (value === '') return invalid('a service needs a name or a namespace');
    const { namespace, prefix } = parseNamePattern(value);
    return ok((flow) => {
      const service: ServiceRef | undefined = flow[`${side}_service`];
      if (service === undefined || (namespace !== '' && service.namespace !== namespace)) return false;
      return service.name.startsWith(prefix);
    });
  });
}

export function labelField(pick: (flow: Flow) => readonly string[] | undefined): FieldCompiler {
  return text((value) => {
    const selector = compileLabelSelector(value);
    if (!selector.ok) return selector;
    return ok((flow) => selector.value(pick(flow) ?? []));
  });
}

/** The names an address was resolved from, not the name that a message asks for. */
export function domainField(side: Side): FieldCompiler {
  return text((value) => {
    const pattern = compileDomainPattern(value);
    if (!pattern.ok) return pattern;
    return ok((flow) => (flow[`${side}_names`] ?? []).some(pattern.value));
  });
}

export function identityField(side: Side): FieldCompiler {
  return anyOf(isCount, (value) => ok((flow) => (flow[side].identity ?? 0) === value));
}

/** A part that is not given is any. */
export function workloadField(side: Side): FieldCompiler {
  return anyOf(isRecord, ({ name = '', kind = '' }) => {
    if (name === '' && kind === '') return invalid('a workload needs a name or a kind');
    return ok((flow) =>
      (flow[side].workloads ?? []).some(
        (workload) => (name === '' || name === workload.name) && (kind === '' || kind === workload.kind),
      ),
    );
  });
}
