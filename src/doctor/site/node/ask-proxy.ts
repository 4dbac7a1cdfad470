/** Asks a kube-proxy of this node which mode it is in; it tells everybody on loopback. */
import { get } from 'node:http';

const MODE_WORD = /^[a-z]{1,20}$/;

/** Undefined when nobody answers in time, or with something else than one word. */
export function askProxyMode(timeoutMs: number, port = 10_249): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const request = get({ host: '127.0.0.1', port, path: '/proxyMode', timeout: timeoutMs }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > 64) request.destroy();
    });
    response.on('end', () => {
      const word = text.trim();
      resolve(response.statusCode === 200 && MODE_WORD.test(word) ? word : undefined);
    });
    response.on('close', () => resolve(undefined));
    response.on('error', () => resolve(undefined));
  });
  const timer = setTimeout(() => request.destroy(), timeoutMs);
  request.on('close', () => {
    clearTimeout(timer);
    resolve(undefined);
  });
  request.on('error', () => resolve(undefined));
  return promise;
}
