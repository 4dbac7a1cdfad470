/** Files of all kinds: what is in them is judged, what is wrong with them is told with its place, and none is too much. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLUSTER_DNS, POD_CACHE, POLICY, reportOf, siteOf } from '../testing/manifest-report.ts';
import { lintManifests } from './lint-manifests.ts';
import { FILE_LIMITS, manifestFiles } from './manifest-files.ts';
import { readYaml } from './read-yaml.ts';

const folder = mkdtempSync(join(tmpdir(), 'doctor-lint-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe('lintManifests', () => {
  it('reads folders below folders and says where the object at fault stands', async () => {
    const cache = write('app/cache/node-local-dns.yaml', POD_CACHE);
    write('app/dns.yml', CLUSTER_DNS);
    write('app/notes.txt', '{ not yaml');
    const report = await lintManifests([join(folder, 'app')], 0);
    expect(report).toMatchObject({ exitCode: 1, origin: 'manifests', takenAt: '1970-01-01T00:00:00.000Z' });
    expect(report.findings).toMatchObject([
      {
        id: 'D26',
        key: 'D26 DaemonSet kube-system/node-local-dns',
        place: { file: cache, line: 2, column: 1 },
      },
    ]);
    write(
      'app/policy.json',
      JSON.stringify({ kind: 'List', items: readYaml('p', POLICY).objects.map((one) => one.object) }),
    );
    expect((await lintManifests([join(folder, 'app')])).exitCode).toBe(0);
  });

  it('tells of a path that is not there', async () => {
    const { findings, exitCode } = await lintManifests([join(folder, 'nothing')]);
    expect(exitCode).toBe(1);
    expect(findings[0]?.evidence[0]).toContain('ENOENT');
  });
});

describe('manifestFiles', () => {
  it('is bounded in size and number, and follows no link inside of a folder', () => {
    const big = write('big/a.yaml', 'a: 1\n'.repeat(100));
    write('big/b.yaml', 'b: 1\n');
    symlinkSync(folder, join(folder, 'big', 'c.yaml'));
    const limits = { ...FILE_LIMITS, bytesEach: 100 };
    const { files, troubles } = manifestFiles([join(folder, 'big')], limits);
    expect(files).toHaveLength(1);
    expect(troubles).toMatchObject([{ subject: big }]);
    expect(manifestFiles([join(folder, 'big')], { ...FILE_LIMITS, files: 1 }).troubles[0]?.reason).toContain(
      'no more is read',
    );
  });
});

describe('readYaml', () => {
  it('takes lists apart, with the place of each item', () => {
    const text =
      'kind: PodList\napiVersion: v1\nitems:\n  - metadata: { name: a }\n  - metadata: { name: b }\n';
    expect(readYaml('f', text).objects).toMatchObject([
      { object: { kind: 'Pod', apiVersion: 'v1' }, place: { line: 4, column: 5 } },
      { object: { metadata: { name: 'b' } }, place: { line: 5, column: 5 } },
    ]);
  });

  it.each([
    {
      name: 'broken syntax, and reads the documents around it',
      text: 'a: 1\n---\nb: [\n---\nc: 1\n',
      says: /./,
    },
    { name: 'a template', text: '{{- if .Values.x }}\nkind: Pod\n{{- end }}\n', says: /helm template/ },
    { name: 'a document that is no object', text: '- 1\n- 2\n', says: /must be an object: received a list/ },
    { name: 'an item that is no object', text: 'kind: List\nitems: [7]\n', says: /received number/ },
    { name: 'aliases that grow without end', text: bomb(), says: /alias/i },
    { name: 'a nesting beyond the stack', text: '['.repeat(100_000), says: /./ },
  ])('tells of $name', ({ text, says }) => {
    const { troubles } = readYaml('f.yaml', text);
    expect(troubles[0]?.reason).toMatch(says);
    expect(troubles[0]?.place).toMatchObject({ file: 'f.yaml', line: expect.any(Number) });
  });
});

function bomb(): string {
  const levels = Array.from({ length: 20 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`);
  return `l0: &l0 [x]\n${levels.join('\n')}\n`;
}

describe('manifestSite', () => {
  it('makes a finding of an object that cannot be read', async () => {
    const bad = 'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { type: Odd }\n';
    const { findings } = await reportOf(bad);
    expect(findings).toMatchObject([{ id: 'D33', object: 'Service default/s', place: { line: 1 } }]);
    expect(siteOf('kind: Service\nmetadata: {}\n').troubles).toMatchObject([
      { reason: 'metadata.name is missing' },
    ]);
  });
});
