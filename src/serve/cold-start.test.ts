/** A node's DNS restarts in front of all its pods: what a start loads and does not need is time without answers. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** Everything a stock Corefile loads, without starting it. */
const LOAD_ALL = `
  await import('./dns-server.ts');
  const { loadClusterSource } = await import('./cluster-source.ts');
  await loadClusterSource({});
  const { PLUGIN_ORDER } = await import('../plugins/order.ts');
  for (const { load } of PLUGIN_ORDER) await load?.();
  const { createRequire } = await import('node:module');
  const files = Object.keys(createRequire(import.meta.url).cache);
  const packages = files.map((file) => /node_modules.([^/]+).lib.(?:web|mock)|node_modules.(yaml|re2js|prom-client)/.exec(file)?.[0]);
  console.log(JSON.stringify({ builtin: process.moduleLoadList, packages: packages.filter(Boolean) }));
`;

describe('a cold start', () => {
  it("loads neither Node's own fetch nor packages that a stock Corefile has no use for", () => {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', LOAD_ALL], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    const loaded: { builtin: string[]; packages: string[] } = JSON.parse(output);
    expect(loaded.builtin.filter((name) => name.includes('undici'))).toEqual([]);
    expect(loaded.packages).toEqual([]);
  });
});
