/**
 * The one door to gRPC: the library's parts that this folder uses, and Hubble's services as `proto/` writes them. Names are
 * the protos' own, 64-bit numbers are decimal text, enums are words (a number when there is no word), what is not set is
 * absent (spec hubble 6.5). Another library would need another of these files, and no change beside it.
 */
import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createMessageCodec } from './wire/message-codec.ts';

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

/** Flows come by the ten thousand: their answers have a codec of ours. */
export const OBSERVER = withFastFlows(serviceOf('observer.Observer'));
export const PEER = serviceOf('peer.Peer');
export const HEALTH = serviceOf('grpc.health.v1.Health');

function serviceOf(name: string): Service {
  const found = definitions[name];
  // A message type has a format, a service has none.
  if (found === undefined || 'format' in found) throw new Error(`There is no service ${name} in proto/`);
  return found as Service;
}

function withFastFlows(service: Service): Service {
  const { serialize, deserialize } = createMessageCodec('observer.GetFlowsResponse', fieldsOf);
  const method = methodOf(service, 'GetFlows');
  return {
    ...service,
    GetFlows: { ...method, responseSerialize: serialize, responseDeserialize: deserialize },
  };
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
  /** As descriptors have it: `TYPE_STRING`. */
  readonly type: string;
  readonly repeated: boolean;
  /** The message that stands there, when it is one. */
  readonly inner?: string;
  /** The words of the enum that stands there, when it is one, with their numbers. */
  readonly words?: ReadonlyMap<string, number>;
}

/** Throws for a message that `proto/` lacks: our own mistake. */
export function fieldsOf(messageName: string): readonly MessageField[] {
  const definition = definitions[messageName];
  if (definition === undefined || !isMessage(messageName))
    throw new Error(`There is no ${messageName} in proto/`);
  const { field: fields = [] } = definition.type as { readonly field?: readonly DescribedField[] };
  return fields.map(({ name, number, type, label, typeName }) => {
    const inner = typeName === '' ? undefined : definedAs(messageName, typeName);
    return {
      ...{ name, number, type, repeated: label === 'LABEL_REPEATED' },
      ...(inner !== undefined && isMessage(inner) ? { inner } : {}),
      ...(inner !== undefined && !isMessage(inner) ? { words: wordsOf(inner) } : {}),
    };
  });
}

function definedAs(messageName: string, typeName: string): string | undefined {
  return scopesOf(messageName)
    .map((scope) => scope + typeName)
    .find((name) => definitions[name] !== undefined);
}

function wordsOf(enumName: string): ReadonlyMap<string, number> {
  const { value: words = [] } = (definitions[enumName]?.type ?? {}) as {
    readonly value?: readonly { readonly name: string; readonly number: number }[];
  };
  return new Map(words.map(({ name, number }) => [name, number]));
}

interface DescribedField {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly label: string;
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
