/**
 * The one door to gRPC: the library's parts that this folder uses, and Hubble's services as `proto/` writes them. Names are
 * the protos' own, 64-bit numbers are decimal text, enums are words (a number when there is no word), what is not set is
 * absent (spec hubble 6.5). Another library would need another of these files, and no change beside it.
 */
import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export {
  Client,
  type ClientOptions,
  type ClientReadableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type StatusObject,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';

/** A message as the library takes and gives it. */
export type WireMessage = { readonly [field: string]: unknown };
export type Method = MethodDefinition<WireMessage, WireMessage>;
export type Service = ServiceDefinition;

const FILES = ['observer/observer.proto', 'peer/peer.proto', 'health/health.proto', 'zerohop/narrow.proto'];

const definitions = loadSync(FILES, {
  keepCase: true,
  longs: String,
  enums: String,
  oneofs: true,
  defaults: false,
  includeDirs: [fileURLToPath(new URL('./proto', import.meta.url))],
});

export const OBSERVER = serviceOf('observer.Observer');
export const PEER = serviceOf('peer.Peer');
export const HEALTH = serviceOf('grpc.health.v1.Health');

function serviceOf(name: string): Service {
  const found = definitions[name];
  // A message type has a format, a service has none.
  if (found === undefined || 'format' in found) throw new Error(`There is no service ${name} in proto/`);
  return found as Service;
}

/** Throws for a method that the service lacks: our own mistake. */
export function methodOf(service: Service, name: string): Method {
  const method = service[name];
  if (method === undefined) throw new Error(`There is no method ${name} in proto/`);
  return method;
}

export interface Codec {
  serialize(message: WireMessage): Buffer;
  /** Throws for what is no such message. */
  deserialize(bytes: Buffer): WireMessage;
}

/** Of a message that stands inside another as bytes. */
export function codecOf(messageName: string): Codec {
  const definition = definitions[messageName];
  if (definition === undefined || !('serialize' in definition))
    throw new Error(`There is no ${messageName} in proto/`);
  return definition as Codec;
}

/** The fields of a message of `proto/`, by their full path: `IP`, `IP.source`, as far down as `depth` names. */
export function fieldPaths(messageName: string, depth: number): readonly string[] {
  return fieldsOf(messageName).flatMap(({ name, inner }) => {
    const below = depth > 1 && inner !== undefined ? fieldPaths(inner, depth - 1) : [];
    return [name, ...below.map((path) => `${name}.${path}`)];
  });
}

/** A field as its message describes it. */
export interface MessageField {
  readonly name: string;
  readonly number: number;
  /** The message that stands there, when it is one. */
  readonly inner?: string;
}

/** Throws for a message that `proto/` lacks: our own mistake. */
export function fieldsOf(messageName: string): readonly MessageField[] {
  const definition = definitions[messageName];
  if (definition === undefined || !isMessage(messageName))
    throw new Error(`There is no ${messageName} in proto/`);
  const { field: fields = [] } = definition.type as { readonly field?: readonly DescribedField[] };
  return fields.map(({ name, number, typeName }) => {
    const inner =
      typeName === ''
        ? undefined
        : scopesOf(messageName)
            .map((scope) => scope + typeName)
            .find(isMessage);
    return { name, number, ...(inner === undefined ? {} : { inner }) };
  });
}

interface DescribedField {
  readonly name: string;
  readonly number: number;
  /** As the proto writes it; empty for what is no message and no enum. */
  readonly typeName: string;
}

function isMessage(name: string): boolean {
  const definition = definitions[name];
  return definition !== undefined && 'serialize' in definition;
}

/** Where a name that stands in a message is looked for, the innermost first (protobuf.dev, packages and name resolution). */
function scopesOf(messageName: string): readonly string[] {
  const parts = messageName.split('.');
  return parts.map((_, i) => `${parts.slice(0, parts.length - i).join('.')}.`).concat('');
}
