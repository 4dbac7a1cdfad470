/**
 * An HTTP server for tests that answers as a list of scenes says, to play API servers that misbehave in ways the lab's
 * own never would. No product code imports it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../../telemetry/log.ts';

export type Scene = (req: IncomingMessage, res: ServerResponse, url: URL) => void;

export interface ScriptedServer {
  readonly endpoint: string;
  /** `METHOD path?query` of each request so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** `port` 0 takes a free one; a number serves restarts. */
export async function startScriptedServer(scene: Scene, port = 0): Promise<ScriptedServer> {
  const requests: string[] = [];
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    scene(req, res, new URL(req.url ?? '/', 'http://scripted'));
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

export interface HeardLog extends Log {
  readonly lines: readonly string[];
}

/** Keeps what was said, as `level text`. */
export function createHeardLog(): HeardLog {
  const lines: string[] = [];
  const say = (level: string) => (text: string) => {
    lines.push(`${level} ${text}`);
  };
  return {
    lines,
    debug: say('debug'),
    info: say('info'),
    warning: say('warning'),
    error: say('error'),
    fatal(text): never {
      throw new Error(text);
    },
  };
}

/** Waits until `condition` holds, calling `step` between looks; throws after twenty seconds, naming `what`. */
export async function until(what: string, condition: () => boolean, step?: () => void): Promise<void> {
  for (let look = 0; !condition(); look++) {
    if (look > 4000) throw new Error(`Cannot see in time: ${what}`);
    step?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
