/** A service's cluster address from the environment that the kubelet gives every container (dns-server 4.3). */

/** `kube-dns-upstream` to `KUBE_DNS_UPSTREAM_SERVICE_HOST`. */
export function serviceHostVariable(service: string): string {
  return `${service.toUpperCase().replaceAll('-', '_')}_SERVICE_HOST`;
}
