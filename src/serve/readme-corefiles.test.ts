import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BUILT_WORDS } from '../plugins/order.ts';
import { DnsServer } from './dns-server.ts';
import { corefile, fakeEnvironment } from './fake-environment.ts';

const PLUGINS = new URL('../plugins/', import.meta.url);
const SECTIONS = ['Name', 'Description', 'Syntax', 'Examples'];

/** Fenced blocks marked `corefile`. */
function corefiles(markdown: string): string[] {
  return [...markdown.matchAll(/^```corefile\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
}

function sections(markdown: string): string[] {
  return [...markdown.matchAll(/^## (.+)$/gm)].map((match) => match[1] ?? '');
}

const directory = mkdtempSync(join(tmpdir(), 'zerohop-readme-'));
const resolvConf = join(directory, 'resolv.conf');
writeFileSync(resolvConf, 'nameserver 127.0.0.9\n');
afterAll(() => rmSync(directory, { recursive: true }));

/** On ports that the system chooses, and asking nobody outside of this machine. */
function contained(text: string): string {
  return text
    .replace(/(\s|^)(\S*):(1053|8080|8181|9153)\b/g, '$1$2:0')
    .replaceAll('/etc/resolv.conf', resolvConf);
}

async function start(text: string): Promise<void> {
  const server = new DnsServer(fakeEnvironment());
  try {
    await server.apply(corefile(contained(text)));
    expect(server.addresses.length).toBeGreaterThan(0);
    await server.current.shutDown();
  } finally {
    await server.closeListeners();
  }
}

describe('the plugin READMEs', () => {
  const folders = readdirSync(PLUGINS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const readmes = folders.map(({ name }) => ({
    name,
    text: readFileSync(new URL(`${name}/README.md`, PLUGINS), 'utf8'),
  }));

  it('exist for every plugin that is built, and for nothing else', () => {
    expect(folders.map(({ name }) => name).sort()).toEqual([...BUILT_WORDS].sort());
  });

  it.each(readmes)('$name: is a man page', ({ name, text }) => {
    expect(text.startsWith(`# ${name}\n`)).toBe(true);
    expect(sections(text).filter((section) => SECTIONS.includes(section))).toEqual(SECTIONS);
    expect(corefiles(text).length).toBeGreaterThan(0);
  });

  it.each(readmes.flatMap(({ name, text }) => corefiles(text).map((example) => ({ name, example }))))(
    '$name: the example starts: $example',
    async ({ example }) => {
      await start(example);
    },
  );

  it('would not pass with an example that is wrong', async () => {
    const [example = ''] = corefiles('```corefile\n.:1053 {\n    health nonsense\n}\n```\n');
    await expect(start(example)).rejects.toThrow('plugin/health: Corefile:2');
  });
});
