import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../net/testing/free-ports.ts';
import { HttpHub } from './http-hub.ts';

const hubs: HttpHub[] = [];
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close();
});

function pages(address: string, body: string) {
  return new Map([[address, new Map([['/health', () => ({ status: 200, body })]])]]);
}

function newHub(errors: string[] = []): HttpHub {
  const hub = new HttpHub((text) => errors.push(text));
  hubs.push(hub);
  return hub;
}

describe('HttpHub', () => {
  it('answers its pages, 404 elsewhere and to other methods', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    (await newHub().prepare(pages(address, 'OK'))).commit();
    const get = await fetch(`http://${address}/health?x=1`);
    expect([get.status, await get.text()]).toEqual([200, 'OK']);
    expect((await fetch(`http://${address}/nosuch`)).status).toBe(404);
    expect((await fetch(`http://${address}/health`, { method: 'POST' })).status).toBe(404);
  });

  it('keeps an address over a change and closes one that is no longer wanted', async () => {
    const hub = newHub();
    const [kept, gone] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    (await hub.prepare(new Map([...pages(kept, 'old'), ...pages(gone, 'old')]))).commit();
    const change = await hub.prepare(pages(kept, 'new'));
    expect(await (await fetch(`http://${kept}/health`)).text()).toBe('old');
    change.commit();
    expect(await (await fetch(`http://${kept}/health`)).text()).toBe('new');
    await expect(fetch(`http://${gone}/health`)).rejects.toThrow();
  });

  it('changes from one host to another on the same port', async () => {
    const hub = newHub();
    const port = await freePort();
    for (const host of ['127.0.0.1', '', 'localhost']) {
      (await hub.prepare(pages(`${host}:${port}`, `from ${host}`))).commit();
      expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe(`from ${host}`);
    }
  });

  it('brings back what had to make room for a change that failed', async () => {
    const [port, taken] = [await freePort(), createServer().listen(0, '127.0.0.1')];
    await once(taken, 'listening');
    const foreign = (taken.address() as AddressInfo).port;
    const hub = newHub();
    (await hub.prepare(pages(`127.0.0.1:${port}`, 'OK'))).commit();
    const change = new Map([...pages(`:${port}`, 'new'), ...pages(`127.0.0.1:${foreign}`, 'new')]);
    await expect(hub.prepare(change)).rejects.toMatchObject({ code: 'SERVE_HTTP_LISTEN' });
    taken.close();
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe('OK');
  });

  it('lets probes in while somebody hoards connections', async () => {
    const port = await freePort();
    (await newHub().prepare(pages(`127.0.0.1:${port}`, 'OK'))).commit();
    const hoard = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    await Promise.all(hoard.map((socket) => once(socket, 'connect')));
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    for (const socket of hoard) socket.destroy();
  });

  it('answers 500 when a page cannot be made', async () => {
    const errors: string[] = [];
    const address = `127.0.0.1:${await freePort()}`;
    const broken = new Map([['/metrics', () => Promise.reject(new Error('no'))]]);
    (await newHub(errors).prepare(new Map([[address, broken]]))).commit();
    expect((await fetch(`http://${address}/metrics`)).status).toBe(500);
    expect(errors).toEqual(['Cannot answer GET "/metrics": no']);
  });

  it.each(['localhost', 'a:b', '127.0.0.1:99999', '::1:80'])('refuses the address %s', async (address) => {
    await expect(newHub().prepare(pages(address, ''))).rejects.toMatchObject({ code: 'SERVE_HTTP_ADDRESS' });
  });
});
