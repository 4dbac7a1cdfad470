/** Plugin man pages and metrics: samples that must fail, then the tree. */
import { describe, expect, it } from 'vitest';
import { checkMetrics, checkPluginReadmes } from '../../tools/gates/plugin-docs.ts';
import { formatFinding } from '../../tools/gates/source-file.ts';
import { tree } from './tree.ts';

const setup = { path: 'src/plugins/whoami/setup.ts', text: '' };
const readme = (text: string) => ({ path: 'src/plugins/whoami/README.md', text });
const PAGE = '# whoami\n\n## Name\n\n## Description\n\n## Syntax\n\n## Examples\n';

describe('checkPluginReadmes', () => {
  it.each([
    { name: 'a plugin without a page', files: [setup], says: 'has no README' },
    {
      name: 'a page of another name',
      files: [setup, readme(PAGE.replace('# whoami', '# who am I'))],
      says: 'title',
    },
    {
      name: 'a page without its syntax',
      files: [setup, readme(PAGE.replace('## Syntax', '### Syntax'))],
      says: '"## Syntax"',
    },
  ])('refuses $name', ({ files, says }) => {
    expect(checkPluginReadmes(files).map(({ message }) => message)).toEqual([expect.stringContaining(says)]);
  });

  it('lets a whole page pass', () => {
    expect(checkPluginReadmes([setup, readme(PAGE)])).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkPluginReadmes(tree).map(formatFinding)).toEqual([]);
  });
});

describe('checkMetrics', () => {
  const plugin = {
    path: 'src/plugins/whoami/plugin.ts',
    text: "const HITS = { name: 'coredns_whoami_hits_total' };",
  };
  const other = { path: 'src/agent/agent.ts', text: "const ROWS = { name: 'zerohop_rows' };" };

  it.each([
    { name: 'a metric that nobody documents', files: [plugin, readme(PAGE)] },
    {
      name: 'a metric that another plugin documents',
      files: [plugin, { path: 'src/plugins/cache/README.md', text: 'coredns_whoami_hits_total' }],
    },
    {
      name: 'a metric that is the key of its help text',
      files: [{ ...plugin, text: "const HELP = { coredns_whoami_hits_total: 'Hits' };" }],
    },
    { name: 'an agent’s metric that nobody documents', files: [other, readme(PAGE)] },
  ])('refuses $name', ({ files }) => {
    expect(checkMetrics(files)).toHaveLength(1);
  });

  it.each([
    { name: 'a metric in the plugin’s page', files: [plugin, readme(`${PAGE}coredns_whoami_hits_total`)] },
    { name: 'a metric in docs', files: [other, { path: 'docs/metrics.md', text: '`zerohop_rows`' }] },
  ])('lets $name pass', ({ files }) => {
    expect(checkMetrics(files)).toEqual([]);
  });

  it('finds nothing in the tree', () => {
    expect(checkMetrics(tree).map(formatFinding)).toEqual([]);
  });
});
