/** A steady load of queries from the client of the story. */
import { execInPod } from '../exec.ts';
import type { LoadResult } from '../load/query-load.ts';
import { zerohopCommand } from '../node/container.ts';
import { DNS_SERVICE_ADDRESS } from '../topology.ts';

/** Asks for one name from the client's pod; resolves when the last query is answered or lost. */
export function startLoad(rate: number, seconds: number): Promise<readonly LoadResult[]> {
  const words = ['lab', 'load', '--server', DNS_SERVICE_ADDRESS, '--name', 'google.com'];
  const amounts = ['--rate', String(rate), '--seconds', String(seconds)];
  const child = execInPod('netshoot', zerohopCommand([...words, ...amounts]), {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  return ended.then(() => parseResults(text));
}

/** One JSON value per line. Throws on the half line of a load that was ended early. */
function parseResults(text: string): readonly LoadResult[] {
  const lines = text.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}
