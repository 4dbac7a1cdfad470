/** The Dockerfile, as far as it can be read without building it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contextFiles, ROOT, readDockerfile } from './dockerfile.ts';

const stages = readDockerfile();
const last = stages.at(-1);
const files = contextFiles();
const copies = stages.flatMap(({ steps }) =>
  steps.filter(({ word }) => word === 'COPY').map(({ rest }) => rest),
);
const ofLast = (word: string) => (last?.steps ?? []).filter((step) => step.word === word);

describe('the Dockerfile', () => {
  it('copies only what the context has, or an earlier stage', () => {
    for (const copy of copies) {
      const words = copy.split(' ');
      const from = /^--from=(\w+)$/.exec(words[0] ?? '')?.[1];
      if (from !== undefined) {
        expect(stages.map(({ name }) => name)).toContain(from);
        continue;
      }
      for (const source of words.slice(0, -1)) {
        const there = files.some((path) => path === source || path.startsWith(`${source}/`));
        expect(there, source).toBe(true);
      }
    }
  });

  it('has no test, no secret and no build tool in its context', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((path) => /\.test\.ts$|\/testing\/|^test\/|^tools\/|\.git\//.test(path))).toEqual([]);
    expect(new Set(files.map((path) => path.split('/')[0]))).toEqual(
      new Set(['.npmrc', 'LICENSE', 'bin', 'deploy', 'package-lock.json', 'package.json', 'src']),
    );
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).not.toMatch(/_auth|token|password/i);
  });

  it('installs exactly the lockfile, without what is for development', () => {
    const [install] =
      stages[0]?.steps.filter(({ word, rest }) => word === 'RUN' && rest.includes('npm')) ?? [];
    expect(install?.rest).toMatch(/^npm ci --omit=dev\b/);
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { integrity?: string; resolved?: string; link?: boolean }>;
    };
    const entries = Object.entries(packages).filter(([path]) => path !== '');
    expect(entries.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
    expect(entries.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  it('ends as nobody, with the program as its only command and no health check', () => {
    expect(ofLast('USER').map(({ rest }) => rest)).toEqual(['65532:65532']);
    expect(ofLast('ENTRYPOINT').map(({ rest }) => rest)).toEqual(['["/usr/local/bin/zerohop"]']);
    expect([...ofLast('CMD'), ...ofLast('HEALTHCHECK')]).toEqual([]);
  });

  it('says the version of the program', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(ofLast('LABEL')[0]?.rest).toContain(`org.opencontainers.image.version="${version}"`);
  });

  it('names no platform, so that each is built by the same steps', () => {
    expect(JSON.stringify(stages)).not.toMatch(/amd64|x86|--platform/);
  });
});
