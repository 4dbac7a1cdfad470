/** Test support: authorities and certificates for 127.0.0.1, made by openssl in a directory of the test's. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export class TestAuthority {
  readonly caFile: string;
  readonly #keyFile: string;
  readonly #directory: string;
  #made = 0;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.caFile = join(directory, `${name}-ca.pem`);
    this.#keyFile = join(directory, `${name}-ca.key`);
    openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      this.#keyFile,
      '-out',
      this.caFile,
      '-subj',
      `/CN=${name}`,
    );
  }

  /** For a server at 127.0.0.1 of that name, or a client. */
  issue(name: string): CertificateFiles {
    this.#made++;
    const base = join(this.#directory, `${name}-${this.#made}`);
    const [certFile, keyFile, request, extensions] = [
      `${base}.pem`,
      `${base}.key`,
      `${base}.csr`,
      `${base}.ext`,
    ];
    writeFileSync(extensions, `subjectAltName=DNS:${name},IP:127.0.0.1\n`);
    openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`);
    openssl(
      ...['x509', '-req', '-in', request, '-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial'],
      ...['-out', certFile, '-days', '2', '-extfile', extensions],
    );
    return { certFile, keyFile };
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
