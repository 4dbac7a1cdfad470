/**
 * cilium.io/v2 CiliumLocalRedirectPolicy → row, as written (spec 1.2). Validation is the policy's own job: a missing
 * part stays missing, and a part of the wrong type counts as missing, so that the refusal names it.
 */
import type { LabelExpression, LabelSelector, LocalRedirectPolicyRow, PortInfo } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { excerpt, type JsonRecord, parsedItems, recordOf, textOf, textRecordOf } from '../json-fields.ts';
import { type Conversion, objectRow, refuse, specOf } from './conversion.ts';

/** Where backends on the host's network listen, if not on the node's own address (a node cache on a link-local one). */
const BACKEND_ADDRESS_ANNOTATION = 'zerohop.io/backend-address';

export function convertLocalRedirectPolicy(object: unknown): Conversion<LocalRedirectPolicyRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const spec = specOf(object);
  const { annotations } = recordOf(recordOf(object).metadata);
  const backendAddress = textOf(recordOf(annotations)[BACKEND_ADDRESS_ANNOTATION]);
  const frontend = recordOf(spec.redirectFrontend);
  const backend = recordOf(spec.redirectBackend);
  const address = part(frontend.addressMatcher);
  const service = part(frontend.serviceMatcher);
  const selector = part(backend.localEndpointSelector);
  const badLabel = Object.entries(recordOf(selector?.matchLabels)).find(
    ([, value]) => typeof value !== 'string',
  );
  // Leaving the label out would widen the selector to pods nobody meant.
  if (badLabel !== undefined)
    return refuse(`a value of matchLabels is no string: received ${excerpt(badLabel)}`);
  return ok({
    ...identity.value,
    skipRedirectFromBackend: spec.skipRedirectFromBackend === true,
    ...(address && { addressMatcher: { ip: word(address.ip), toPorts: portsOf(address) } }),
    ...(service && {
      serviceMatcher: {
        serviceName: word(service.serviceName),
        namespace: word(service.namespace),
        toPorts: portsOf(service),
      },
    }),
    ...(selector && { backendSelector: selectorOf(selector) }),
    backendPorts: portsOf(backend),
    ...(backendAddress === undefined ? {} : { backendAddress }),
  });
}

/** An object, even an empty one: `{}` is a selector that matches everything and not an absent one. */
function part(value: unknown): JsonRecord | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? recordOf(value) : undefined;
}

/** Empty stands for missing: no field of a policy may be empty. */
function word(value: unknown): string {
  return textOf(value) ?? '';
}

/** No entry is left out, however broken: a policy with a bad port must be refused and not work without it. */
function portsOf(holder: JsonRecord): readonly PortInfo[] {
  return parsedItems(holder.toPorts, (item) => {
    const fields = recordOf(item);
    const name = textOf(fields.name) ?? '';
    return { port: word(fields.port), protocol: word(fields.protocol), ...(name === '' ? {} : { name }) };
  });
}

function selectorOf(selector: JsonRecord): LabelSelector {
  return {
    matchLabels: textRecordOf(selector.matchLabels),
    matchExpressions: parsedItems(selector.matchExpressions, (item): LabelExpression => {
      const fields = recordOf(item);
      return {
        key: word(fields.key),
        operator: word(fields.operator),
        values: parsedItems(fields.values, textOf),
      };
    }),
  };
}
