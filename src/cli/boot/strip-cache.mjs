/**
 * Types are stripped from a source file once, not at each start. Node strips them unasked, but loads its stripper for it:
 * a quarter of a second and 35 MB in a process that a node's pods wait for. This hook hands Node the stripped text of
 * the last time, kept by what the file holds, so that a stale copy cannot be run. Plain JavaScript, because it runs
 * before there is anything to strip with. Where nothing can be written, all works as without it, only slower.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = new URL('../../../', import.meta.url).href;
const SOURCES = new URL('../../', import.meta.url).href;
const KEEP_COMPILED_MS = 5000;
const CACHE = fileURLToPath(new URL(`node_modules/.cache/zerohop/${process.versions.node}/`, ROOT));

// A sixth of a start's processor time went into compiling. Node writes byte code when the process ends, which is too late
// for one that serves for months and is killed.
module.enableCompileCache(`${CACHE}compiled`);
setTimeout(() => module.flushCompileCache(), KEEP_COMPILED_MS).unref();

module.registerHooks({
  /** A path to a file of ours says all there is to know; Node would look for packages, links and formats around it. */
  resolve(specifier, context, nextResolve) {
    const { parentURL = '' } = context;
    if (!specifier.startsWith('.') || !specifier.endsWith('.ts') || !parentURL.startsWith(SOURCES)) {
      return nextResolve(specifier, context);
    }
    return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true };
  },
  load(url, context, nextLoad) {
    if (!url.startsWith(SOURCES) || !url.endsWith('.ts')) return nextLoad(url, context);
    const source = readFileSync(fileURLToPath(url), 'utf8');
    return { format: 'module', source: strippedOf(source), shortCircuit: true };
  },
});

/** For whoever starts a thread: what to give it as `--import`. */
export const BOOT_HOOK = pathToFileURL(fileURLToPath(import.meta.url)).href;

/** @param {string} source @returns {string} */
export function strippedOf(source) {
  const path = `${CACHE}${createHash('sha256').update(source).digest('hex').slice(0, 32)}.js`;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not kept yet.
    const stripped = strip(source);
    keep(path, stripped);
    return stripped;
  }
}

/**
 * Node strips without a word what it loads itself, and warns that the same function is experimental when called.
 * @param {string} source
 */
function strip(source) {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return module.stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * Renamed into place: a process that starts beside this one must not read half a file.
 * @param {string} path @param {string} text
 */
function keep(path, text) {
  const draft = `${path}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(draft, text);
    renameSync(draft, path);
  } catch {
    // Read-only or full: the next start strips again.
  }
}
