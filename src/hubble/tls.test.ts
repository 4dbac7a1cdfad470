/** TLS of the server as clients meet it. */
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import { type ClientTls, openHubble } from './client.ts';
import type { TlsFiles } from './listen/tls-files.ts';
import { type HubbleServer, startHubbleServer } from './server.ts';
import { TestAuthority } from './testing/certificates.ts';
import { FakeSource } from './testing/fake-source.ts';

let directory = '';
let clock: VirtualClock;
let logged: string[] = [];
const closers: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-hubble-tls-'));
  clock = new VirtualClock();
  logged = [];
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

function start(tls: TlsFiles): Promise<HubbleServer> {
  return startHubbleServer({
    ...{ source: new FakeSource(), clock, listen: [{ host: '127.0.0.1', port: 0, tls }] },
    log: { info: () => undefined, error: (text) => logged.push(text) },
  });
}

async function serve(tls: TlsFiles): Promise<string> {
  const server = await start(tls);
  closers.push(() => server.close());
  return server.targets[0] ?? '';
}

async function health(target: string, tls: ClientTls): Promise<string> {
  const client = openHubble(target, tls);
  try {
    return await client.health();
  } catch (error) {
    return String((error as { code?: unknown }).code);
  } finally {
    client.close();
  }
}

describe('startHubbleServer with TLS', () => {
  it('is believed by who knows its authority, and by nobody else', async () => {
    const ours = new TestAuthority(directory, 'ours');
    const target = await serve(ours.issue('worker-1'));
    expect(target).toMatch(/^tls:\/\/127\.0\.0\.1:\d+$/);
    expect(await health(target, { caFiles: [ours.caFile] })).toBe('SERVING');
    expect(await health(target, { caFiles: [ours.caFile], serverName: 'worker-1' })).toBe('SERVING');
    expect(await health(target, { caFiles: [ours.caFile], serverName: 'worker-2' })).toBe(
      'HUBBLE_UNREACHABLE',
    );
    expect(await health(target, { caFiles: [new TestAuthority(directory, 'theirs').caFile] })).toBe(
      'HUBBLE_UNREACHABLE',
    );
    expect(await health(target, { insecure: true })).toBe('SERVING');
  });

  it('lets in only clients of its authority when it has one', async () => {
    const ours = new TestAuthority(directory, 'ours');
    const theirs = new TestAuthority(directory, 'theirs');
    const target = await serve({ ...ours.issue('worker-1'), clientCaFiles: [ours.caFile] });
    const caFiles = [ours.caFile];
    expect(await health(target, { caFiles, ...ours.issue('relay') })).toBe('SERVING');
    expect(await health(target, { caFiles })).toBe('HUBBLE_UNREACHABLE');
    expect(await health(target, { caFiles, ...theirs.issue('relay') })).toBe('HUBBLE_UNREACHABLE');
  });

  it('does not wait at its end for who never finishes a handshake', async () => {
    const ours = new TestAuthority(directory, 'ours');
    const server = await start(ours.issue('worker-1'));
    const [target = ''] = server.targets;
    const dialledMs = performance.now();
    const silent = connectPlain(Number(target.split(':').at(-1)), '127.0.0.1');
    closers.push(() => silent.destroy());
    await once(silent, 'connect');
    // Connections are accepted in order: now the silent one is, too.
    expect(await health(target, { caFiles: [ours.caFile] })).toBe('SERVING');
    const closed = server.close();
    clock.pass(500);
    await closed;
    // What a handshake may take has not passed yet.
    expect(performance.now() - dialledMs).toBeLessThan(10_000);
  });

  it('speaks TLS 1.3 and nothing older', async () => {
    const target = await serve(new TestAuthority(directory, 'ours').issue('worker-1'));
    const port = Number(target.split(':').at(-1));
    const protocolOf = (maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
      new Promise((resolve) => {
        const socket = connect({
          port,
          host: '127.0.0.1',
          maxVersion,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
        });
        socket.on('secureConnect', () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.on('error', () => resolve('refused'));
      });
    expect(await protocolOf('TLSv1.3')).toBe('TLSv1.3');
    expect(await protocolOf('TLSv1.2')).toBe('refused');
  });

  it('takes renewed files, and stays with the old ones while the new do not fit', async () => {
    const [old, renewed] = [new TestAuthority(directory, 'old'), new TestAuthority(directory, 'new')];
    const files = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
    const put = ({ certFile, keyFile }: Partial<typeof files>) => {
      // A file's time may be too coarse to tell two writes in a row apart.
      const stamp = new Date(Date.now() + 60_000 * ++puts);
      if (certFile !== undefined) copyFileSync(certFile, files.certFile);
      if (keyFile !== undefined) copyFileSync(keyFile, files.keyFile);
      for (const file of [files.certFile, files.keyFile]) utimesSync(file, stamp, stamp);
    };
    let puts = 0;
    put(old.issue('worker-1'));
    const target = await serve(files);
    const next = renewed.issue('worker-1');

    put({ certFile: next.certFile });
    clock.pass(2000);
    expect(await health(target, { caFiles: [old.caFile] })).toBe('SERVING');
    expect(logged.join()).toMatch('stays in use');

    put(next);
    clock.pass(2000);
    expect(await health(target, { caFiles: [renewed.caFile] })).toBe('SERVING');
    expect(await health(target, { caFiles: [old.caFile] })).toBe('HUBBLE_UNREACHABLE');
  });

  it('does not start with files that cannot serve', async () => {
    const ours = new TestAuthority(directory, 'ours');
    const files = ours.issue('worker-1');
    const garbage = join(directory, 'garbage.pem');
    writeFileSync(garbage, 'no certificate');
    for (const wrong of [
      { ...files, certFile: join(directory, 'missing.pem') },
      { ...files, keyFile: ours.issue('worker-2').keyFile },
      { ...files, clientCaFiles: [garbage] },
    ]) {
      await expect(serve(wrong)).rejects.toMatchObject({ code: 'HUBBLE_TLS_UNUSABLE' });
    }
  });
});
