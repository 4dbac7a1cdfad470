/**
 * A plugin's README is its man page: the folder's name as title and the four sections operators look for. Every metric
 * that the code creates is written down, a plugin's in its README or docs/, the others in any page.
 */
import { folderOf } from './layers.ts';
import { maskCode } from './mask.ts';
import { type Finding, isCode, isTest, lineAt, type SourceFile } from './source-file.ts';

const SECTIONS = ['Name', 'Description', 'Syntax', 'Examples'] as const;

/**
 * A metric's whole name, as a string or as a key; ours only where a `MetricSpec` names its family, because other things
 * are called zerohop_… too. A name that is put together at run time is not seen.
 */
const METRIC =
  /(?<!\w)(?:\bname:\s*'(zerohop_[a-z0-9_]+)'|'((?:coredns|nodecache)_[a-z0-9_]+)'|((?:coredns|nodecache)_[a-z0-9_]+):)/g;

export function checkPluginReadmes(files: readonly SourceFile[]): readonly Finding[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  return pluginFolders(files).flatMap((folder) => {
    const path = `${folder}/README.md`;
    const text = texts.get(path);
    if (text === undefined) return [{ path, message: 'the plugin has no README' }];
    const name = folder.slice(folder.lastIndexOf('/') + 1);
    const missing = SECTIONS.filter((section) => !new RegExp(`^## ${section}$`, 'm').test(text));
    return [
      ...(text.startsWith(`# ${name}\n`) ? [] : [{ path, line: 1, message: `the title is not "# ${name}"` }]),
      ...missing.map((section) => ({ path, message: `section "## ${section}" is missing` })),
    ];
  });
}

export function checkMetrics(files: readonly SourceFile[]): readonly Finding[] {
  const documents = files.filter(({ path }) => path.endsWith('.md'));
  return files
    .filter((file) => file.path.startsWith('src/') && isCode(file) && !isTest(file))
    .flatMap((file) => {
      const code = maskCode(file.text, { keepStrings: true });
      const places = documents.filter(({ path }) => mayDocument(file.path, path));
      return Array.from(code.matchAll(METRIC), ({ 1: ours, 2: text, 3: key, index }) => ({
        name: ours ?? text ?? key ?? '',
        index,
      }))
        .filter(({ name }) => !places.some(({ text }) => text.includes(name)))
        .map(({ name, index }) => ({
          path: file.path,
          line: lineAt(code, index),
          message: `metric ${name} stands in no README and in no page of docs/`,
        }));
    });
}

/** Folders of src/plugins that hold a plugin, finished or not. */
function pluginFolders(files: readonly SourceFile[]): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    const match = /^(src\/plugins\/[^/]+)\/(?:setup|plugin)\.ts$/.exec(path);
    if (match?.[1] !== undefined) folders.add(match[1]);
  }
  return [...folders].sort();
}

/** A plugin answers for its own metrics; those of the server it lives in may stand in any plugin's page. */
function mayDocument(source: string, document: string): boolean {
  if (folderOf(source) !== 'plugins' || document.startsWith('docs/')) return true;
  return document.startsWith(`${source.split('/').slice(0, 3).join('/')}/`);
}
