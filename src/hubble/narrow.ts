/**
 * Our own conditions as GetFlowsRequest's `extensions` carry them. Another server would pass over them in silence and give
 * everything, so a client asks first whether they are known, by the health service's list of names.
 */
import { errorText } from '../fault/app-error.ts';
import { fail, ok, type Result } from '../fault/result.ts';
import type { FlowNarrow } from '../flow/api.ts';
import type { HubbleErrorCode } from './errors.ts';
import { codecOf, type WireMessage } from './grpc.ts';

/** Also the name that the health service of a server has which knows it. */
export const NARROW_NAME = 'zerohop.FlowNarrow';
/** Of a server that knows `kernel_answered` as well: one from before it would pass over that and give everything. */
export const KERNEL_ANSWERED_NAME = `${NARROW_NAME}.kernel_answered`;
const TYPE_URL = `type.googleapis.com/${NARROW_NAME}`;

/** The name that a server must know to understand the conditions. */
export function nameOfNarrow({ kernel_answered }: FlowNarrow): string {
  return kernel_answered === undefined ? NARROW_NAME : KERNEL_ANSWERED_NAME;
}

/** google.protobuf.Any. */
export interface WireAny {
  readonly type_url?: string;
  readonly value?: Uint8Array;
}

export function toWireNarrow(narrow: FlowNarrow): WireMessage {
  const { rcode, slow_ms: slowMs, bypassed, one_in: oneIn, kernel_answered } = narrow;
  const value = codecOf(NARROW_NAME).serialize({
    ...(rcode === undefined ? {} : { rcode }),
    ...(slowMs === undefined ? {} : { slow_ms: { value: slowMs } }),
    ...(bypassed === undefined ? {} : { bypassed }),
    ...(oneIn === undefined ? {} : { one_in: oneIn }),
    ...(kernel_answered === undefined ? {} : { kernel_answered }),
  });
  return { type_url: TYPE_URL, value };
}

/** Another message than this, or none, is refused. */
export function fromWireNarrow({
  type_url: url = '',
  value = new Uint8Array(),
}: WireAny): Result<FlowNarrow> {
  if (url.slice(url.lastIndexOf('/') + 1) !== NARROW_NAME) {
    return refuse(`extensions: this server does not know ${JSON.stringify(url.slice(0, 100))}`);
  }
  try {
    const wire: WireNarrow = codecOf(NARROW_NAME).deserialize(Buffer.from(value));
    return ok({
      ...(wire.rcode === undefined ? {} : { rcode: wire.rcode }),
      ...(wire.slow_ms === undefined ? {} : { slow_ms: wire.slow_ms.value ?? 0 }),
      ...(wire.bypassed === true ? { bypassed: true } : {}),
      ...(wire.one_in === undefined || wire.one_in === 0 ? {} : { one_in: wire.one_in }),
      ...(wire.kernel_answered === true ? { kernel_answered: true } : {}),
    });
  } catch (error) {
    return refuse(`extensions: they cannot be read: ${errorText(error)}`);
  }
}

interface WireNarrow {
  readonly rcode?: readonly number[];
  readonly slow_ms?: { readonly value?: number };
  readonly bypassed?: boolean;
  readonly one_in?: number;
  readonly kernel_answered?: boolean;
}

function refuse(reason: string): ReturnType<typeof fail> {
  const code: HubbleErrorCode = 'HUBBLE_REQUEST_INVALID';
  return fail(code, undefined, reason);
}
