/**
 * The files of the page, held ready: its own modules with their types stripped, and the two packages it uses from where
 * they are installed. Nothing is bundled and nothing comes from elsewhere; a path that is not in this table does not exist.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';

export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

export interface PageFiles {
  readonly files: ReadonlyMap<string, PageFile>;
  /** Value of Content-Security-Policy for everything that is served. */
  readonly policy: string;
}

/** What the modules call the packages, and where they are served. */
const MODULES: readonly (readonly [specifier: string, path: string])[] = [
  ['preact', '/modules/preact.mjs'],
  ['preact/hooks', '/modules/preact-hooks.mjs'],
  ['uplot', '/modules/uplot.mjs'],
];
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';
/** In index.html, where the import map goes; browsers take one from the document alone. */
const MAP_PLACE = '<!-- import map -->';

export function loadPageFiles(): PageFiles {
  const folder = new URL('page/', import.meta.url);
  const files = new Map<string, PageFile>();
  const add = (path: string, type: string, body: string | Buffer) =>
    files.set(path, { type, body: Buffer.from(body) });
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
    add(`/page/${name}`, SCRIPT, strip(readFileSync(new URL(name, folder), 'utf8')));
  }
  for (const [specifier, path] of MODULES) add(path, SCRIPT, withoutMap(readFileSync(moduleFile(specifier))));
  add('/modules/uplot.css', STYLE, readFileSync(new URL('uPlot.min.css', `file://${moduleFile('uplot')}`)));
  add('/page/style.css', STYLE, readFileSync(new URL('style.css', folder)));
  add('/page/icon.svg', 'image/svg+xml', readFileSync(new URL('icon.svg', folder)));
  const map = JSON.stringify({ imports: Object.fromEntries(MODULES) });
  const html = readFileSync(new URL('index.html', folder), 'utf8');
  add('/', 'text/html; charset=utf-8', html.replace(MAP_PLACE, `<script type="importmap">${map}</script>`));
  return { files, policy: policyFor(map) };
}

/** The import map is the only script in the document, and is let in by what it says. */
function policyFor(map: string): string {
  const hash = createHash('sha256').update(map).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function moduleFile(specifier: string): string {
  // uplot has its module beside what `import` finds.
  return createRequire(import.meta.url)
    .resolve(specifier)
    .replace(/uPlot\.cjs\.js$/, 'uPlot.esm.js');
}

/** Source maps lie in files that are not served. */
function withoutMap(source: Buffer): string {
  return source.toString().replace(/^\/\/# sourceMappingURL=.*$/gm, '');
}

/** Node strips without a word what it loads itself, and warns that the same function is experimental when called. */
function strip(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return module.stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}
