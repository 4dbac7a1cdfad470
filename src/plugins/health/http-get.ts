/** One GET on a connection of its own, so that a check also measures how connections are taken. */

/** Not by `import`, which would load Node's fetch implementation along with it: see `serve/http-hub.ts`. */
const { get } = process.getBuiltinModule('node:http');

/** Resolves on any complete answer. */
export function httpGet(url: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
      response.on('end', resolve);
      response.on('error', reject);
      response.resume();
    });
    request.on('timeout', () => request.destroy(new Error('context deadline exceeded')));
    request.on('error', reject);
  });
}
