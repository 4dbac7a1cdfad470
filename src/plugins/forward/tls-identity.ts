/**
 * The files of `tls`: what we show to upstreams, and whom we trust. Read and tried out at set-up, so that a wrong file is
 * an error with its line, not a failure of each query.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Token } from '../../corefile/ast.ts';
import { errorCode, errorText } from '../../fault/app-error.ts';
import { quote, wrongDirective } from '../directive.ts';
import type { TlsIdentity } from './exchange/stream-dialer.ts';
import type { TlsFiles } from './options.ts';

/** Paths are relative to `directory`. Throws an `AppError` when a file is not what its place says. */
export function readTlsIdentity(files: TlsFiles | undefined, directory: string): TlsIdentity {
  if (files === undefined) return {};
  const read = (name: keyof TlsFiles) => {
    const token = files[name];
    return token === undefined ? {} : { [name]: readPem(token, directory) };
  };
  const identity: TlsIdentity = { ...read('cert'), ...read('key'), ...read('ca') };
  const culprit = files.cert ?? files.ca;
  if (culprit !== undefined) tryOut(identity, culprit);
  return identity;
}

function readPem(token: Token, directory: string): Buffer {
  const path = isAbsolute(token.text) ? token.text : join(directory, token.text);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw wrongDirective('forward', token, `error reading ${quote(token.text)}: ${errorCode(error)}`);
  }
  if (bytes.includes('-----BEGIN ')) return bytes;
  throw wrongDirective('forward', token, `no PEM data in ${quote(token.text)}`);
}

function tryOut(identity: TlsIdentity, culprit: Token): void {
  try {
    // Not imported above: whoever does not use it shall not load it.
    process.getBuiltinModule('node:tls').createSecureContext({ ...identity });
    // A file of authorities in which there is none would be taken in silence, and trust nobody.
    if (identity.ca !== undefined) new X509Certificate(identity.ca);
  } catch (error) {
    throw wrongDirective('forward', culprit, `could not load TLS files: ${errorText(error)}`);
  }
}
