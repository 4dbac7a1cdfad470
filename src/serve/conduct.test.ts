import { expect, it } from 'vitest';
import type { PluginInstance } from '../plugins/contract.ts';
import { name } from '../plugins/fake-host.ts';
import { ask } from '../plugins/fake-query.ts';
import { conductOf, type LiveBlock } from './conduct.ts';

/** A block of these words. */
function block(words: Readonly<Record<string, PluginInstance>>): LiveBlock {
  const records = Object.entries(words).map(([word, instance]) => ({ word, block: 0, instance }));
  return { records, handler: () => ({ rcode: 0 }) };
}

const members = [0, 1].map((index) => ({ block: index, zones: [name('.')] }));
const conductOn =
  (transport: 'dns' | 'tls') =>
  (...blocks: LiveBlock[]) =>
    conductOf({ members, transport }, { blocks, keptOptions: new Set() });
const conduct = conductOn('tls');

it('of two blocks on a listener the later sets a bound, and the first brings the certificate', () => {
  const tls = (cert: string) => ({ tls: { cert, key: '', clientAuth: 'nocert' as const } });
  const together = conduct(
    block({ timeouts: { timeouts: { readMs: 1000, idleMs: 1000 } }, tls: tls('first') }),
    block({ timeouts: { timeouts: { idleMs: 2000 } }, tls: tls('second') }),
  );
  expect(together.timeouts).toEqual({ readMs: 1000, idleMs: 2000 });
  expect(together.tls?.cert).toBe('first');
});

it('a certificate is for the tls:// keys of a block: its others stay in the clear', () => {
  const tls = { tls: { cert: 'only', key: '', clientAuth: 'nocert' as const } };
  expect(conductOn('tls')(block({ tls })).tls?.cert).toBe('only');
  expect(conductOn('dns')(block({ tls })).tls).toBeUndefined();
});

it('one block that asks for it opens the listener to other classes, and to debugging', () => {
  const { routes, debug, stacktrace } = conduct(
    block({ chaos: { anyClass: true } }),
    block({ debug: { debug: true } }),
  );
  expect(routes.map(({ anyClass }) => anyClass)).toEqual([true, false]);
  expect({ debug, stacktrace }).toEqual({ debug: true, stacktrace: false });
});

it('a view knows what plugins tell of a query only where the block says metadata', () => {
  const view = {
    view: { name: 'west', accepts: (query: ReturnType<typeof ask>) => query.metadata.get('site') === 'west' },
  };
  const geo: PluginInstance = { describe: ({ metadata }) => void metadata.set('site', 'west') };
  const { routes } = conduct(block({ metadata: {}, geo, view }), block({ geo, view }));
  expect(routes.map(({ view: called, accepts }) => [called, accepts?.(ask('a.test.'))])).toEqual([
    ['west', true],
    ['west', false],
  ]);
});
