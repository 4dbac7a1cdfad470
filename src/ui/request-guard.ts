/**
 * Which requests are heard at all. The page is on loopback, where every web site a browser shows can send requests: a name
 * of its own that resolves to 127.0.0.1 (DNS rebinding) is told by Host, a page of another origin by Origin and by
 * Sec-Fetch-Site. Nothing here changes anything, so there is only GET.
 */
import type { IncomingHttpHeaders } from 'node:http';

export interface Refusal {
  readonly status: 400 | 403 | 405 | 421;
  readonly reason: string;
}

export interface GuardedRequest {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Where the connection came in; it says which Host is ours. */
  readonly port: number;
}

export function refusalOf({ method, headers, port }: GuardedRequest): Refusal | undefined {
  if (method !== 'GET') return { status: 405, reason: 'Only GET is served' };
  const hosts = ownHosts(port);
  const { host, origin } = headers;
  if (host === undefined || !hosts.includes(host.toLowerCase()))
    return { status: 421, reason: 'Not served under this Host: use the address that zerohop ui printed' };
  if (origin !== undefined && !hosts.some((own) => origin.toLowerCase() === `http://${own}`))
    return { status: 403, reason: 'Requests of other origins are not served' };
  const site = headers['sec-fetch-site'];
  // `none` is a person who typed the address; a link from elsewhere may open the page itself, but read nothing.
  const isVisit = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isVisit)
    return { status: 403, reason: 'Requests of other sites are not served' };
  return undefined;
}

function ownHosts(port: number): readonly string[] {
  const names = ['127.0.0.1', '[::1]', 'localhost'];
  // Browsers leave the port of their scheme away.
  return [...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])];
}
