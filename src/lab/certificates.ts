/**
 * The lab's certificate authority and the API server's certificate, made anew each time and kept in the lab's tmpfs.
 * Pods talk to the API server as in any cluster: TLS, checked against the authority in their service account's mount.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { API_SERVICE_ADDRESS, CONTROL_NODE, LAB_PATHS } from './topology.ts';

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const VALID = ['-days', '2'];

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export async function makeCertificates(directory = LAB_PATHS.pki): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(directory, name);
  const names = [
    `IP:${API_SERVICE_ADDRESS}`,
    `IP:${CONTROL_NODE.address}`,
    'DNS:kubernetes.default.svc',
    'DNS:kubernetes.default.svc.cluster.local',
  ];
  await runCommand('openssl', [
    ...['req', '-x509', ...CURVE, ...VALID, '-subj', '/CN=zerohop-lab'],
    ...['-keyout', at('ca.key'), '-out', at('ca.crt')],
  ]);
  await runCommand('openssl', [
    ...['req', ...CURVE, '-subj', '/CN=kube-apiserver', '-keyout', at('api.key'), '-out', at('api.csr')],
  ]);
  writeFileSync(at('api.ext'), `subjectAltName=${names.join(',')}\nextendedKeyUsage=serverAuth\n`);
  await runCommand('openssl', [
    ...['x509', '-req', '-in', at('api.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'],
    ...[...VALID, '-extfile', at('api.ext'), '-out', at('api.crt')],
  ]);
}

export function readCertificates(directory = LAB_PATHS.pki): Certificates {
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');
  return { ca: read('ca.crt'), cert: read('api.crt'), key: read('api.key') };
}
