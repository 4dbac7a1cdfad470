/**
 * A "no" of the API server, with everything a `Status` object (meta/v1) carries: kubectl prints by `reason`, and names
 * fields from `causes`. Wording follows the API server's own, because people search for those sentences.
 */
import { AppError } from '../../fault/app-error.ts';
import type { LabApiErrorCode } from './errors.ts';

export interface FieldCause {
  /** `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`. */
  readonly reason: string;
  readonly field: string;
  /** Without the field: `Required value`. */
  readonly message: string;
}

interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly FieldCause[];
}

export interface RefusalSpec {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: StatusDetails;
}

const CODES: Readonly<Record<number, LabApiErrorCode>> = {
  404: 'LAB_API_NOT_FOUND',
  409: 'LAB_API_CONFLICT',
  410: 'LAB_API_GONE',
  422: 'LAB_API_INVALID',
};

export class ApiRefusal extends AppError {
  readonly spec: RefusalSpec;

  constructor(spec: RefusalSpec) {
    super(CODES[spec.status] ?? 'LAB_API_REFUSED', spec.message);
    this.spec = spec;
  }
}

/** Group and plural, as messages and details name a kind. */
interface Named {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

function qualified(word: string, group: string): string {
  return group === '' ? word : `${word}.${group}`;
}

function detailsOf(resource: Named, name: string): StatusDetails {
  return { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural };
}

export function notFound(resource: Named, name: string): ApiRefusal {
  return new ApiRefusal({
    status: 404,
    reason: 'NotFound',
    message: `${qualified(resource.plural, resource.group)} ${JSON.stringify(name)} not found`,
    details: detailsOf(resource, name),
  });
}

export function alreadyExists(resource: Named, name: string): ApiRefusal {
  return new ApiRefusal({
    status: 409,
    reason: 'AlreadyExists',
    message: `${qualified(resource.plural, resource.group)} ${JSON.stringify(name)} already exists`,
    details: detailsOf(resource, name),
  });
}

export function conflict(resource: Named, name: string): ApiRefusal {
  return new ApiRefusal({
    status: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(resource.plural, resource.group)} ${JSON.stringify(name)}: the object has been modified; please apply your changes to the latest version and try again`,
    details: detailsOf(resource, name),
  });
}

/** At least one cause. */
export function invalid(resource: Named, name: string, causes: readonly FieldCause[]): ApiRefusal {
  const texts = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const list = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`;
  return new ApiRefusal({
    status: 422,
    reason: 'Invalid',
    message: `${qualified(resource.kind, resource.group)} ${JSON.stringify(name)} is invalid: ${list}`,
    details: { ...detailsOf(resource, name), kind: resource.kind, causes },
  });
}

export function badRequest(message: string): ApiRefusal {
  return new ApiRefusal({ status: 400, reason: 'BadRequest', message });
}

export function expired(resourceVersion: string): ApiRefusal {
  return new ApiRefusal({
    status: 410,
    reason: 'Expired',
    message: `too old resource version: ${resourceVersion}`,
  });
}

/** The JSON that goes over the wire. */
export function formatStatus(spec: RefusalSpec): unknown {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: spec.status < 300 ? 'Success' : 'Failure',
    message: spec.message,
    reason: spec.reason,
    ...(spec.details === undefined ? {} : { details: spec.details }),
    code: spec.status,
  };
}
