/** The real program as a child process, and what stands around it: an upstream, a cluster's API, a folder of files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ApiServer, createApiServer } from '../../src/lab/api/http-server.ts';
import { freePorts } from '../../src/net/testing/free-ports.ts';
import { systemClock } from '../../src/telemetry/clock.ts';
import { type ScriptedUpstream, startUpstream } from './scripted-upstream.ts';
import type { Suite } from './suite.ts';

const PROGRAM = new URL('../../src/cli/boot/zerohop.mjs', import.meta.url).pathname;
const START_MS = 40_000;

export interface UnderTest {
  readonly port: number;
  readonly metricsPort: number;
  readonly upstream: ScriptedUpstream;
  /** Lines of both outputs, in order. */
  readonly lines: string[];
  /** `{$PORT2}` and the like replaced. */
  expand(text: string): string;
  writeFile(name: string, text: string): void;
  /** As kubectl would. */
  request(method: string, path: string, body?: unknown): Promise<void>;
  signal(name: NodeJS.Signals): void;
  close(): Promise<void>;
}

/** Rejects with what the server printed when it does not start. */
export async function startUnderTest(suite: Suite): Promise<UnderTest> {
  const directory = mkdtempSync(join(tmpdir(), 'zerohop-conformance-'));
  const writeFile = (name: string, text: string) => {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  const upstream = await startUpstream(suite.upstream);
  const api = await startApi();
  const [port = 0, port2 = 0, port3 = 0, port4 = 0, dead = 0] = await freePorts(5);
  const variables: Readonly<Record<string, string>> = {
    UPSTREAM: `127.0.0.1:${upstream.port}`,
    DEAD: `127.0.0.1:${dead}`,
    API: `http://127.0.0.1:${api.port}`,
    DIR: directory,
    PORT: String(port),
    PORT2: String(port2),
    PORT3: String(port3),
    PORT4: String(port4),
  };
  const expand = (text: string) => text.replace(/\{\$(\w+)\}/g, (whole, name) => variables[name] ?? whole);
  const request = (method: string, path: string, body?: unknown) =>
    askApi(`http://127.0.0.1:${api.port}${path}`, method, body);
  for (const [name, text] of Object.entries(suite.files)) writeFile(name, expand(text));
  for (const object of suite.objects) await apply(request, object);
  writeFile('Corefile', expand(suite.corefile));
  const lines: string[] = [];
  const args = ['dns', '-conf', join(directory, 'Corefile'), '-dns.port', String(port), ...suite.flags];
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: directory,
    env: { ...process.env, ...variables, ...suite.env },
  });
  collectLines(child, lines);
  const signal = (name: NodeJS.Signals) => void child.kill(name);
  const close = async () => {
    await stop(child);
    await Promise.all([upstream.close(), api.close()]);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await started(child, lines);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, metricsPort: port3, upstream, lines, expand, writeFile, request, signal, close };
}

/** Creates, or replaces what is there. */
export async function apply(request: UnderTest['request'], object: unknown): Promise<void> {
  const { path, name } = placeOf(object);
  try {
    await request('POST', path, object);
  } catch {
    await request('PUT', `${path}/${name}`, object);
  }
}

const GROUPS: Readonly<Record<string, string>> = {
  Service: 'api/v1',
  Namespace: 'api/v1',
  Pod: 'api/v1',
  Node: 'api/v1',
  EndpointSlice: 'apis/discovery.k8s.io/v1',
};

/** `kind/namespace/name`, as in a case's `delete`. */
export function pathOf(place: string): string {
  const [kind = '', namespace = '', name = ''] = place.split('/');
  return `${collection(kind, namespace)}/${name}`;
}

function placeOf(object: unknown): { path: string; name: string } {
  const { kind, metadata } = object as { kind: string; metadata: { name: string; namespace?: string } };
  return { path: collection(kind, metadata.namespace ?? 'default'), name: metadata.name };
}

function collection(kind: string, namespace: string): string {
  const group = GROUPS[kind];
  if (group === undefined) throw new Error(`no such kind: ${kind}`);
  const plural = `${kind.toLowerCase()}s`;
  const isGlobal = kind === 'Namespace' || kind === 'Node';
  return isGlobal ? `/${group}/${plural}` : `/${group}/namespaces/${namespace}/${plural}`;
}

async function askApi(url: string, method: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
}

async function startApi(): Promise<{ port: number; close(): Promise<void> }> {
  const api: ApiServer = createApiServer({ clock: systemClock });
  const server: Server = createServer(api.handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    async close() {
      api.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function collectLines(child: ChildProcess, lines: string[]): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
  }
}

/** The version line is the last of a start. */
async function started(child: ChildProcess, lines: readonly string[]): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (!lines.some((line) => line.startsWith('CoreDNS-'))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the server did not start:\n${lines.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const killer = setTimeout(() => child.kill('SIGKILL'), 8000);
  child.kill('SIGINT');
  await exited;
  clearTimeout(killer);
}
