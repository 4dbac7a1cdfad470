/**
 * Finds the API server from one of three sources: an explicit endpoint, a kubeconfig, or the service account of the pod
 * we run in. Nothing is opened here beyond the files that hold credentials.
 */
import { AppError } from '../../fault/app-error.ts';
import { type Clock, systemClock } from '../../telemetry/clock.ts';
import type { KubeErrorCode } from '../errors.ts';
import { type KubeConfig, type KubeConfigSource, parseServer } from './config.ts';
import { readCredential, rotatingFiles } from './credential-file.ts';
import { inClusterConfig } from './in-cluster.ts';
import { loadKubeconfigFile } from './kubeconfig-file.ts';

export interface KubeConfigOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Instead of /var/run/secrets/kubernetes.io/serviceaccount. */
  readonly serviceAccountDirectory?: string;
}

/**
 * A kubeconfig wins over an endpoint, an endpoint over the pod's service account.
 * Throws `AppError` (KUBE_CONFIG_UNREADABLE, KUBE_CONFIG_INVALID, KUBE_CONFIG_UNSUPPORTED, KUBE_NOT_IN_CLUSTER).
 */
export function loadKubeConfig(source: KubeConfigSource, options: KubeConfigOptions = {}): KubeConfig {
  const clock = options.clock ?? systemClock;
  if (source.kubeconfig !== undefined) return loadKubeconfigFile({ ...source.kubeconfig, clock });
  if (source.endpoint !== undefined) return endpointConfig(source.endpoint, source.tls);
  return inClusterConfig({
    env: options.env ?? process.env,
    clock,
    ...(options.serviceAccountDirectory === undefined ? {} : { directory: options.serviceAccountDirectory }),
  });
}

/** `tls` holds paths of PEM files. Throws `AppError` as `loadKubeConfig` does. */
export function endpointConfig(endpoint: string, tls?: KubeConfigSource['tls']): KubeConfig {
  if (endpoint.startsWith('unix:')) {
    const socketPath = endpoint.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (!socketPath.startsWith('/')) throw invalidEndpoint(endpoint, 'a unix socket needs an absolute path');
    return { server: 'http://localhost', socketPath };
  }
  const server = parseServer(endpoint);
  if (server === undefined)
    throw invalidEndpoint(endpoint, 'it must be http://host:port, https://host:port or unix:/path');
  if (tls === undefined) return { server };
  const freshTls = rotatingFiles([tls.ca, tls.cert, tls.key], () => ({
    ca: readCredential(tls.ca, 'the certificate authority'),
    cert: readCredential(tls.cert, 'the client certificate'),
    key: readCredential(tls.key, 'the client key'),
  }));
  return { server, tls: freshTls(), freshTls };
}

function invalidEndpoint(endpoint: string, reason: string): AppError {
  const code: KubeErrorCode = 'KUBE_CONFIG_INVALID';
  return new AppError(code, `Cannot use the API endpoint: ${reason}: received ${JSON.stringify(endpoint)}`);
}
