/**
 * Where the API server is and how to prove who we are, as values. Made by `load-kube-config.ts` and its sources, read
 * by the client. Deliberately absent: programs that fetch credentials (exec, auth providers), passwords, acting as somebody
 * else, and proxies (`proxy-url` is refused; HTTPS_PROXY is not looked at: the API server is beside us).
 */
/** PEM texts. An absent `ca` means the authorities the runtime ships with. */
export interface KubeTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Do not verify the server's certificate at all. */
  readonly insecure?: boolean;
  /** Name to verify instead of the host in the URL. */
  readonly serverName?: string;
}

export interface KubeConfig {
  /** `http://` or `https://` with host, port and perhaps a path prefix, without a trailing slash. */
  readonly server: string;
  /** Connect to this unix socket; `server` then only names the host header. */
  readonly socketPath?: string;
  readonly tls?: KubeTls;
  /** Asked once per request: the same value until one of the files behind it was replaced. Wins over `tls`. */
  readonly freshTls?: () => KubeTls;
  /** Asked once per request; throws `AppError` KUBE_CONFIG_UNREADABLE when a token file has gone. */
  readonly token?: () => string;
  /** The namespace of the context or of the service account, when known. */
  readonly namespace?: string;
}

export interface KubeConfigSource {
  /** `http://host:port`, `https://host:port`, or `unix:/path/to/socket`. */
  readonly endpoint?: string;
  readonly kubeconfig?: { readonly file: string; readonly context?: string };
  /** Paths of PEM files; only together with an https endpoint. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** An http(s) URL without query and credentials, its trailing slash removed; undefined when it is not one. */
export function parseServer(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`;
}
