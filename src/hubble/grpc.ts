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
  const definition = definitions[messageName];
  if (definition === undefined || !('format' in definition))
    throw new Error(`There is no ${messageName} in proto/`);
  const { field: fields = [] } = definition.type as { readonly field?: readonly DescribedField[] };
  return fields.flatMap(({ name, typeName }) => {
    const inner = depth > 1 && definitions[siblingOf(messageName, typeName)] !== undefined;
    const below = inner ? fieldPaths(siblingOf(messageName, typeName), depth - 1) : [];
    return [name, ...below.map((path) => `${name}.${path}`)];
  });
}

interface DescribedField {
  readonly name: string;
  readonly typeName: string;
}

/** Types are told without or with their package, with a dot ahead when it is the full name. */
function siblingOf(messageName: string, typeName: string): string {
  if (typeName.startsWith('.')) return typeName.slice(1);
  const { pack } = /^(?<pack>.*)\.[^.]*$/.exec(messageName)?.groups ?? {};
  return `${pack ?? ''}.${typeName}`;
}
