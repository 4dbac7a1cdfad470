/** Server and client over real sockets. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import { askAdmin, findAdminSocket } from './admin-client.ts';
import { type AdminCommand, type AdminServer, openAdminServer } from './admin-server.ts';
import { prepareSocketPath } from './socket-path.ts';

const scratch = mkdtempSync(join(tmpdir(), 'zerohop-admin-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const open: AdminServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

let count = 0;
async function serve(commands: Readonly<Record<string, AdminCommand>>): Promise<string> {
  const path = join(scratch, `${count++}.sock`);
  open.push(await openAdminServer({ path, commands }));
  return path;
}

async function ask(path: string, command: string, args = {}): Promise<string[]> {
  return Array.fromAsync(askAdmin(path, { command, args }));
}

describe('the admin socket', () => {
  it('gives the lines of a command, whatever stands in them', async () => {
    const lines = ['a', '', 'line\nbreak', '\u001b[31m', '{"end":true}'];
    const path = await serve({ 'cache dump': () => lines });
    expect(await ask(path, 'cache dump')).toEqual(lines);
  });

  it('hands over the words of the request', async () => {
    const path = await serve({ say: ({ word }) => [String(word)] });
    expect(await ask(path, 'say', { word: 'hello' })).toEqual(['hello']);
  });

  it('may be opened by the owner alone', async () => {
    const path = await serve({});
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('streams what is larger than any buffer', async () => {
    const path = await serve({
      many: () => Array.from({ length: 20_000 }, (_, i) => `${i} ${'x'.repeat(100)}`),
    });
    expect(await ask(path, 'many')).toHaveLength(20_000);
  });

  it('says which commands there are when asked for another', async () => {
    const path = await serve({ known: () => [] });
    await expect(ask(path, 'toString')).rejects.toMatchObject({
      code: 'ADMIN_REQUEST',
      hint: expect.stringContaining('known'),
    });
  });

  it('passes on why a command refuses', async () => {
    const path = await serve({
      refuse: () => {
        throw new AppError('SOME_CODE', 'Cannot do it', { hint: 'Do another' });
      },
    });
    await expect(ask(path, 'refuse')).rejects.toMatchObject({ code: 'SOME_CODE', hint: 'Do another' });
  });

  it('answers others while one client sends garbage without end', async () => {
    const path = await serve({ known: () => ['yes'] });
    const rude = createConnection(path);
    rude.on('error', () => undefined);
    rude.write('x'.repeat(100_000));
    expect(await ask(path, 'known')).toEqual(['yes']);
    rude.destroy();
  });

  it('is gone from the file system after closing', async () => {
    const path = await serve({});
    await open.pop()?.close();
    expect(() => statSync(path)).toThrow('ENOENT');
    await expect(ask(path, 'x')).rejects.toMatchObject({ code: 'ADMIN_UNREACHABLE' });
  });
});

describe('findAdminSocket', () => {
  /** Files that nobody listens behind, and servers. */
  async function directoryWith(name: string, dead: readonly number[], alive: readonly number[]) {
    const directory = join(scratch, name);
    mkdirSync(directory);
    for (const pid of dead) writeFileSync(join(directory, `dns-${pid}.sock`), '');
    for (const pid of alive) {
      open.push(await openAdminServer({ path: await prepareSocketPath(directory, pid), commands: {} }));
      for (const left of dead) writeFileSync(join(directory, `dns-${left}.sock`), '');
    }
    return directory;
  }

  it('finds the one server that runs', async () => {
    const directory = await directoryWith('one', [7], [process.pid]);
    await expect(findAdminSocket({ env: { ZEROHOP_RUN_DIR: directory } })).resolves.toBe(
      join(directory, `dns-${process.pid}.sock`),
    );
  });

  it('says so when there is none, and when there are several', async () => {
    const none = await directoryWith('none', [process.pid], []);
    await expect(findAdminSocket({ env: { ZEROHOP_RUN_DIR: none } })).rejects.toThrow('no socket is left');
    const two = await directoryWith('two', [], [1, 1]);
    await expect(findAdminSocket({ env: { ZEROHOP_RUN_DIR: two } })).rejects.toMatchObject({
      message: expect.stringContaining('2 run here'),
      hint: expect.stringContaining('dns-1-1.sock'),
    });
  });

  it('takes the one that is named', async () => {
    await expect(findAdminSocket({ socket: '/x', env: {} })).resolves.toBe('/x');
  });

  it('leaves nothing behind of processes that are gone, and everything of those that are not', async () => {
    const directory = await directoryWith('stale', [7], [1]);
    expect(await prepareSocketPath(directory, 1)).toBe(join(directory, 'dns-1-1.sock'));
    expect(readdirSync(directory)).toEqual(['dns-1.sock']);
  });
});

describe('a path that two servers have one after the other', () => {
  it('stays with the one that came last', async () => {
    const path = join(scratch, 'shared.sock');
    const first = await openAdminServer({ path, commands: { who: () => ['first'] } });
    open.push(await openAdminServer({ path, commands: { who: () => ['second'] } }));
    await first.close();
    expect(await ask(path, 'who')).toEqual(['second']);
  });
});
