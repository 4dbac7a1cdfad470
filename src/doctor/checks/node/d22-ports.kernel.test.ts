/** Servers of real processes that want the same port, and metrics on every address. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RealNode } from '../../testing/real-node.ts';
import { d22 } from './d22-ports.ts';

let node: RealNode;

beforeAll(() => {
  node = new RealNode('d22');
});

afterAll(() => node.close());

/** A process with a name of its own, so that it is another program. */
async function listen(name: string, host: string, port: number) {
  const options = JSON.stringify({ host, port, reusePort: true });
  const script = `process.title = '${name}'; require('net').createServer().listen(${options}, () => console.log('ready'))`;
  const child = node.network.spawn(node.network.node, process.execPath, '-e', script);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

test('two programs on one address are found, as long as both are there', async () => {
  await listen('one', '127.0.0.53', 53);
  const near = await listen('two', '127.0.0.54', 53);
  expect(await node.findings(d22)).toEqual([]);
  await node.network.kill(near);
  const same = await listen('two', '127.0.0.53', 53);
  const [finding] = await node.findings(d22);
  expect(finding).toMatchObject({ id: 'D22', severity: 'warning' });
  expect(finding?.evidence.join()).toMatch(/127\.0\.0\.53:53 is bound by one.*is bound by two|two.*one/);
  await node.network.kill(same);
  expect(await node.findings(d22)).toEqual([]);
});

test('a program on all addresses is in the way of one on a single address, and not of its own successor', async () => {
  const wide = await listen('node-cache', '0.0.0.0', 8080);
  const successor = await listen('node-cache', '0.0.0.0', 8080);
  expect(await node.findings(d22)).toEqual([]);
  await node.network.kill(successor);
  const single = await listen('two', '127.0.0.1', 8080);
  expect(await node.findings(d22)).toMatchObject([{ severity: 'warning' }]);
  await node.network.kill(wide);
  const stranger = await listen('one', '0.0.0.0', 8080);
  expect(await node.findings(d22)).toEqual([]);
  for (const child of [stranger, single]) await node.network.kill(child);
});

test('metrics on every address are told of, and not those on one', async () => {
  const wide = await listen('node-cache', '0.0.0.0', 9353);
  expect(await node.findings(d22)).toMatchObject([
    {
      id: 'D22',
      severity: 'info',
      evidence: [expect.stringContaining('0.0.0.0:9353 is bound by node-cache')],
    },
  ]);
  await node.network.kill(wide);
  await listen('node-cache', '127.0.0.1', 9353);
  expect(await node.findings(d22)).toEqual([]);
});
