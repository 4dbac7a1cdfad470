/**
 * `tls CERT KEY [CA] { client_auth MODE; keylog FILE }`: how listeners of `tls://` keys prove who they are. The files are
 * read and checked once, at set-up, so that a wrong one stops the start or the reload, and not the first client.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { OptionLine, Token } from '../../corefile/ast.ts';
import { errorCode, errorText } from '../../fault/app-error.ts';
import type { ListenerTls } from '../../server/listener-options.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, onlyArg, onlyDirective, wrongDirective } from '../directive.ts';

const PLUGIN = 'tls';
const MODES: readonly string[] = [
  'nocert',
  'request',
  'require',
  'verify_if_given',
  'require_and_verify',
] satisfies ListenerTls['clientAuth'][];

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  if (directive.args.length === 0) {
    const reason = 'certificates from an ACME server are not built into this server';
    throw wrongDirective(PLUGIN, directive.name, reason, {
      code: 'PLUGIN_UNSUPPORTED_OPTION',
      hint: 'Name the files of a certificate and its key: tls CERT KEY [CA]',
    });
  }
  const [certToken, keyToken, caToken] = expectArgs(PLUGIN, directive, 2, 3);
  if (certToken === undefined || keyToken === undefined) throw new Error('expectArgs let too few pass');
  const read = (token: Token, what: string) => readPem(token, { what, directory: host.directory });
  const files = {
    cert: read(certToken, 'certificate'),
    key: read(keyToken, 'key'),
    ...(caToken && { ca: read(caToken, 'CA') }),
  };
  checkPair(certToken, files);
  if (caToken !== undefined && files.ca !== undefined) checkCertificate(caToken, files.ca);
  const options = (directive.body ?? []).map((option) => optionOf(option, host.directory));
  const tls: ListenerTls = Object.assign({ ...files, clientAuth: 'nocert' as const }, ...options);
  return { tls };
};

function optionOf(option: OptionLine, directory: string): Partial<ListenerTls> {
  const { name } = option;
  if (name.text === 'client_auth') {
    const mode = onlyArg(PLUGIN, option);
    if (isMode(mode.text)) return { clientAuth: mode.text };
    throw wrongDirective(PLUGIN, mode, `unknown authentication type '${mode.text}'`, {
      hint: `It is one of: ${MODES.join(', ')}`,
    });
  }
  if (name.text === 'keylog') return { keylogFile: resolve(directory, onlyArg(PLUGIN, option).text) };
  throw wrongDirective(PLUGIN, name, `unknown option '${name.text}'`, {
    code: 'PLUGIN_UNKNOWN_OPTION',
    hint: 'The options are: client_auth, keylog',
  });
}

function isMode(text: string): text is ListenerTls['clientAuth'] {
  return MODES.includes(text);
}

function readPem(token: Token, { what, directory }: { what: string; directory: string }): Buffer {
  try {
    return readFileSync(resolve(directory, token.text));
  } catch (error) {
    const reason = errorCode(error) === 'ENOENT' ? 'no such file or directory' : errorText(error);
    throw wrongDirective(PLUGIN, token, `could not load TLS ${what}: open ${token.text}: ${reason}`);
  }
}

/** OpenSSL says what does not fit: no PEM, an encrypted key, a key of another certificate. */
function checkPair(token: Token, files: { cert: Buffer; key: Buffer }): void {
  try {
    createSecureContext(files);
  } catch (error) {
    throw wrongDirective(PLUGIN, token, `could not load TLS cert: ${errorText(error)}`);
  }
}

function checkCertificate(token: Token, pem: Buffer): void {
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw wrongDirective(PLUGIN, token, `could not load TLS CA: ${errorText(error)}`);
  }
}
