/**
 * The configuration every pod is given: two environment variables and three mounted files
 * (Kubernetes documentation, "Accessing the Kubernetes API from a Pod").
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { KubeErrorCode } from '../errors.ts';
import type { KubeConfig } from './config.ts';
import { readCredential, rotatingFiles, tokenFromFile } from './credential-file.ts';

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly directory?: string;
}

/** Throws `AppError` KUBE_NOT_IN_CLUSTER or KUBE_CONFIG_UNREADABLE. */
export function inClusterConfig(options: InClusterOptions): KubeConfig {
  const directory = options.directory ?? SERVICE_ACCOUNT_DIRECTORY;
  const host = options.env.KUBERNETES_SERVICE_HOST ?? '';
  const port = options.env.KUBERNETES_SERVICE_PORT ?? '';
  if (host === '') throw notInCluster('KUBERNETES_SERVICE_HOST is not set', host);
  if (!/^\d{1,5}$/.test(port)) throw notInCluster('KUBERNETES_SERVICE_PORT is not a port number', port);
  const token = tokenFromFile(join(directory, 'token'), options.clock);
  token();
  const caFile = join(directory, 'ca.crt');
  const freshTls = rotatingFiles([caFile], () => ({
    ca: readCredential(caFile, 'the certificate authority'),
  }));
  const namespaceFile = join(directory, 'namespace');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls: freshTls(),
    freshTls,
    token,
    ...(existsSync(namespaceFile)
      ? { namespace: readCredential(namespaceFile, 'the namespace').trim() }
      : {}),
  };
}

function notInCluster(reason: string, received: string): AppError {
  const code: KubeErrorCode = 'KUBE_NOT_IN_CLUSTER';
  return new AppError(code, `Cannot find the API server: ${reason}: received ${JSON.stringify(received)}`, {
    hint: 'Outside a pod, give an endpoint or a kubeconfig',
  });
}
