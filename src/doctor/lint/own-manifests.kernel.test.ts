/** What we ship and what the lab is made of is nothing that our own doctor would warn of. Needs kubectl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lintManifests } from './lint-manifests.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const OVERLAYS = join(ROOT, 'deploy', 'kustomize', 'overlays');

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'zh-test-lint-'));
});

afterAll(() => rmSync(directory, { recursive: true }));

async function findings(...paths: readonly string[]) {
  const report = await lintManifests(paths);
  return report.findings.map(({ id, severity, object, evidence }) => ({ id, severity, object, evidence }));
}

test('the manifests of the lab', async () => {
  expect(await findings(join(ROOT, 'src', 'lab', 'manifests'))).toEqual([]);
});

test.each(readdirSync(OVERLAYS))('overlay %s', async (name) => {
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, execFileSync('kubectl', ['kustomize', join(OVERLAYS, name)]));
  expect(await findings(file)).toEqual([]);
  expect(await findings(join(ROOT, 'src', 'lab', 'manifests', 'coredns.yaml'), file)).toEqual([]);
});
