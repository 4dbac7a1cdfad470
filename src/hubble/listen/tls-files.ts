/**
 * The certificate of a server, its key, and who may come in, as files that somebody renews: they are looked at again when a
 * client connects, at most once a second, and taken when they have changed and fit together. Half of a change, or a wrong
 * file, leaves what was there before in force. No timer: nothing happens while nobody connects.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { HubbleErrorCode } from '../errors.ts';
import { signatureOf } from '../file-signature.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Clients must show a certificate of these authorities; absent: anybody may connect. */
  readonly clientCaFiles?: readonly string[];
}

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: readonly Buffer[];
}

const LOOK_MS = 1000;

export class WatchedTls {
  readonly #files: TlsFiles;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #log: Pick<Log, 'error' | 'info'>;
  #lookedAtMs: number;
  /** Of what is in force, and of what was refused last. */
  #signature: string;
  #refused = '';
  readonly first: TlsMaterial;

  /** Throws `AppError` HUBBLE_TLS_UNUSABLE. */
  constructor(files: TlsFiles, clock: Pick<Clock, 'monotonicMs'>, log: Pick<Log, 'error' | 'info'>) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    // Before reading: a change in between is then seen the next time.
    this.#signature = signatureOf(pathsOf(files));
    this.#lookedAtMs = clock.monotonicMs();
    this.first = readTls(files);
  }

  /** What is to be used from now on, when that is something new. */
  renewed(): TlsMaterial | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < LOOK_MS) return undefined;
    this.#lookedAtMs = nowMs;
    const signature = signatureOf(pathsOf(this.#files));
    if (signature === this.#signature || signature === this.#refused) return undefined;
    try {
      const material = readTls(this.#files);
      this.#signature = signature;
      this.#log.info(`Hubble's API has a new certificate from ${this.#files.certFile}`);
      return material;
    } catch (error) {
      this.#refused = signature;
      this.#log.error(`${errorText(error)}; the certificate before it stays in use`);
      return undefined;
    }
  }
}

function pathsOf({ certFile, keyFile, clientCaFiles }: TlsFiles): readonly string[] {
  return [certFile, keyFile, ...(clientCaFiles ?? [])];
}

function readTls(files: TlsFiles): TlsMaterial {
  const { certFile, keyFile, clientCaFiles } = files;
  try {
    const material = {
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      ...(clientCaFiles && { ca: clientCaFiles.map(readPem) }),
    };
    createSecureContext(material);
    return material;
  } catch (error) {
    const code: HubbleErrorCode = 'HUBBLE_TLS_UNUSABLE';
    const names = pathsOf(files).join(', ');
    throw new AppError(code, `Cannot use the TLS files: ${errorText(error)}: received ${names}`, {
      cause: error,
    });
  }
}

/** A file of authorities in which there is none would be taken in silence, and trust nobody. */
function readPem(path: string): Buffer {
  const bytes = readFileSync(path);
  if (!bytes.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`no certificate in ${path}`);
  return bytes;
}
