/**
 * Reads a kubeconfig (v1 Config) into a `KubeConfig`. Every refusal names the file and the field, because the reader of
 * the message has several of both. Paths inside are relative to the file's own directory, as kubectl has it.
 */
import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { KubeErrorCode } from '../errors.ts';
import { itemsOf, type JsonRecord, recordOf, textOf } from '../json-fields.ts';
import { type KubeConfig, type KubeTls, parseServer } from './config.ts';
import { readCredential, rotatingFiles, tokenFromFile } from './credential-file.ts';

export interface KubeconfigFileOptions {
  readonly file: string;
  /** Absent: the file's current-context. */
  readonly context?: string;
  readonly clock: Clock;
}

/** What an entry is called in messages: `users["admin"].user`. */
interface Entry {
  readonly file: string;
  readonly path: string;
  readonly fields: JsonRecord;
}

/** Throws `AppError` KUBE_CONFIG_UNREADABLE, KUBE_CONFIG_INVALID or KUBE_CONFIG_UNSUPPORTED. */
export function loadKubeconfigFile(options: KubeconfigFileOptions): KubeConfig {
  const { file } = options;
  const document = parseDocument(file);
  const contextName = options.context ?? textOf(document['current-context']) ?? '';
  if (contextName === '')
    throw invalid(file, 'current-context', 'it is empty and no context was asked for', contextName);
  const context = findEntry({ file, document, list: 'contexts', field: 'context', name: contextName });
  const cluster = findEntry({
    file,
    document,
    list: 'clusters',
    field: 'cluster',
    name: nameIn(context, 'cluster'),
  });
  const server = textOf(cluster.fields.server) ?? '';
  const parsed = parseServer(server);
  if (parsed === undefined)
    throw invalid(file, `${cluster.path}.server`, 'it must be an http or https URL', server);
  const userName = textOf(context.fields.user) ?? '';
  const user =
    userName === '' ? undefined : findEntry({ file, document, list: 'users', field: 'user', name: userName });
  refuseUnsupported(cluster, ['proxy-url']);
  if (user !== undefined) refuseUnsupported(user, UNSUPPORTED_OF_USERS);
  const namespace = textOf(context.fields.namespace) ?? '';
  const token = user === undefined ? undefined : tokenOf(user, options.clock);
  const files = [
    ...pathsOf(cluster, ['certificate-authority']),
    ...(user === undefined ? [] : pathsOf(user, ['client-certificate', 'client-key'])),
  ];
  const freshTls = rotatingFiles(files, () => tlsOf(cluster, user));
  return {
    server: parsed,
    tls: freshTls(),
    ...(files.length === 0 ? {} : { freshTls }),
    ...(token === undefined ? {} : { token }),
    ...(namespace === '' ? {} : { namespace }),
  };
}

/** A pod finds its API server without such a file, so the library, some seventy files, is only loaded for one. */
function parseYaml(text: string): unknown {
  const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  return parse(text);
}

function parseDocument(file: string): JsonRecord {
  const content = readCredential(file, 'the kubeconfig');
  try {
    return recordOf(parseYaml(content));
  } catch (error) {
    const code: KubeErrorCode = 'KUBE_CONFIG_INVALID';
    throw new AppError(code, `Cannot parse the kubeconfig: ${errorText(error).trim()}: received ${file}`, {
      cause: error,
    });
  }
}

function findEntry(wanted: {
  file: string;
  document: JsonRecord;
  list: string;
  field: string;
  name: string;
}): Entry {
  const { file, document, list, field, name } = wanted;
  const path = `${list}[${JSON.stringify(name)}].${field}`;
  for (const item of itemsOf(document[list])) {
    const entry = recordOf(item);
    if (textOf(entry.name) === name) return { file, path, fields: recordOf(entry[field]) };
  }
  throw invalid(file, list, 'there is no entry of that name', name);
}

function nameIn(context: Entry, field: string): string {
  const name = textOf(context.fields[field]) ?? '';
  if (name === '') throw invalid(context.file, `${context.path}.${field}`, 'it is empty', name);
  return name;
}

/** To leave one of them out in silence would be to ask as somebody else, or somewhere else, than was meant. */
const UNSUPPORTED_OF_USERS = [
  ...['exec', 'auth-provider', 'username', 'password'],
  ...['as', 'as-uid', 'as-groups', 'as-user-extra'],
];

/** Messages end up in logs. */
function isSecret(field: string): boolean {
  return field === 'username' || field === 'password';
}

function refuseUnsupported(entry: Entry, fields: readonly string[]): void {
  for (const field of fields) {
    if (entry.fields[field] === undefined) continue;
    const code: KubeErrorCode = 'KUBE_CONFIG_UNSUPPORTED';
    const value = recordOf(entry.fields[field]);
    const detail = textOf(value.command ?? value.name ?? (isSecret(field) ? undefined : entry.fields[field]));
    throw new AppError(
      code,
      `Cannot use the kubeconfig ${entry.file}: ${entry.path}.${field} is not supported: received ${detail ?? field}`,
      { hint: 'Use a token, a token file or a client certificate, and the address of the API server itself' },
    );
  }
}

function tokenOf(user: Entry, clock: Clock): (() => string) | undefined {
  const token = textOf(user.fields.token) ?? '';
  if (token !== '') return () => token;
  const tokenFile = textOf(user.fields.tokenFile) ?? '';
  if (tokenFile === '') return undefined;
  const source = tokenFromFile(resolve(dirname(user.file), tokenFile), clock);
  source();
  return source;
}

/** The files behind `fields`: those that are not given in the kubeconfig itself. */
function pathsOf(entry: Entry, fields: readonly string[]): readonly string[] {
  return fields.flatMap((field) => {
    const path = textOf(entry.fields[field]) ?? '';
    const inline = (textOf(entry.fields[`${field}-data`]) ?? '') !== '';
    return path === '' || inline ? [] : [resolve(dirname(entry.file), path)];
  });
}

function tlsOf(cluster: Entry, user: Entry | undefined): KubeTls {
  const ca = pemOf(cluster, 'certificate-authority');
  const cert = user && pemOf(user, 'client-certificate');
  const key = user && pemOf(user, 'client-key');
  if (user !== undefined && (cert === undefined) !== (key === undefined)) {
    const lacking = cert === undefined ? 'client-certificate' : 'client-key';
    throw invalid(user.file, `${user.path}.${lacking}`, 'certificate and key belong together', '');
  }
  const serverName = textOf(cluster.fields['tls-server-name']) ?? '';
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(cluster.fields['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
    ...(serverName === '' ? {} : { serverName }),
  };
}

/** `FIELD-data` (base64) wins over `FIELD` (a path), as in kubectl. */
function pemOf(entry: Entry, field: string): string | undefined {
  const data = textOf(entry.fields[`${field}-data`]) ?? '';
  if (data !== '') {
    const pem = Buffer.from(data, 'base64').toString('latin1');
    if (!pem.includes('-----BEGIN '))
      throw invalid(
        entry.file,
        `${entry.path}.${field}-data`,
        'it is not base64 of PEM',
        `${data.length} characters`,
      );
    return pem;
  }
  const path = textOf(entry.fields[field]) ?? '';
  return path === ''
    ? undefined
    : readCredential(resolve(dirname(entry.file), path), `${entry.path}.${field}`);
}

function invalid(file: string, field: string, reason: string, received: string): AppError {
  const code: KubeErrorCode = 'KUBE_CONFIG_INVALID';
  return new AppError(
    code,
    `Cannot use the kubeconfig ${file}: ${field}: ${reason}: received ${JSON.stringify(received)}`,
  );
}
