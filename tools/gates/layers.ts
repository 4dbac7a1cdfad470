/**
 * Who may import whom. The table is tools/layers.json; what is not listed there is refused. Tests beside the source
 * keep the same walls, except that they may use development packages; test/ and tools/ may import anything.
 */
import { type Import, importsOf, packageOf, targetOf } from './imports.ts';
import { type Finding, isCode, isTest, type SourceFile } from './source-file.ts';

export type LayerTable = Readonly<Record<string, readonly string[]>>;

/** Packages that one folder alone may touch. */
const PACKAGE_OWNERS: Readonly<Record<string, string>> = { koffi: 'sys' };

export function checkLayers(files: readonly SourceFile[], layers: LayerTable): readonly Finding[] {
  return [
    ...checkTable(layers),
    ...files
      .filter((file) => file.path.startsWith('src/') && isCode(file))
      .flatMap((file) => importsOf(file).flatMap((each) => checkImport(file, each, layers))),
  ];
}

/** One file per package and folder, so that replacing a package is a change of one file. */
export function checkPackages(files: readonly SourceFile[]): readonly Finding[] {
  const declared = dependencies(files);
  const owners = new Map<string, string>();
  const findings: Finding[] = [];
  for (const file of files) {
    if (!file.path.startsWith('src/') || !isCode(file) || isTest(file)) continue;
    const folder = folderOf(file.path);
    for (const [name, line] of packagesOf(file)) {
      const say = (message: string) => findings.push({ path: file.path, line, message });
      const owner = PACKAGE_OWNERS[name];
      if (owner !== undefined && owner !== folder) say(`only src/${owner} may import ${name}`);
      if (declared !== undefined && !declared.has(name))
        say(`${name} is not a run-time dependency in package.json`);
      const key = `${folder} ${name}`;
      const first = owners.get(key);
      if (first === undefined) owners.set(key, file.path);
      else say(`${name} is imported by ${first} already: one file per package and folder`);
    }
  }
  return findings;
}

function checkTable(layers: LayerTable): readonly Finding[] {
  return Object.entries(layers).flatMap(([folder, allowed]) => {
    const wrong = [
      ...(allowed.includes('cli') ? ['nobody may import cli'] : []),
      ...allowed.filter((other) => !(other in layers)).map((other) => `there is no folder ${other}`),
    ];
    return wrong.map((message) => ({ path: 'tools/layers.json', message: `${folder}: ${message}` }));
  });
}

function checkImport(file: SourceFile, { specifier, line }: Import, layers: LayerTable): readonly Finding[] {
  if (!specifier.startsWith('.')) return [];
  const message = refusal(file.path, specifier, layers);
  return message === undefined ? [] : [{ path: file.path, line, message }];
}

function refusal(path: string, specifier: string, layers: LayerTable): string | undefined {
  const target = targetOf(path, specifier);
  if (target === undefined || !target.startsWith('src/')) return `${specifier} leads out of src`;
  if (!/\.(ts|mjs|json)$/.test(target)) return `${specifier} lacks its extension`;
  if (isTest({ path: target }) && !isTest({ path })) return `only tests may import ${specifier}`;
  const from = folderOf(path);
  const to = folderOf(target);
  const allowed = Object.hasOwn(layers, from) ? layers[from] : undefined;
  if (allowed === undefined) return `folder ${from} is not in tools/layers.json`;
  if (from !== to) return allowed.includes(to) ? undefined : `${from} may not import ${to}`;
  const [own, other] = [pluginOf(path), pluginOf(target)];
  if (own === undefined || other === undefined || own === other) return undefined;
  return `plugin ${own} may not import plugin ${other}: share through the query's metadata or the host`;
}

/** `policy` of src/policy/sub/derive.ts. */
export function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

/** `cache` of src/plugins/cache/plugin.ts; nothing for the files that all plugins share. */
function pluginOf(path: string): string | undefined {
  return /^src\/plugins\/([^/]+)\//.exec(path)?.[1];
}

/** Each package once, with the line of its first import. */
function packagesOf(file: SourceFile): ReadonlyMap<string, number> {
  const packages = new Map<string, number>();
  for (const { specifier, line } of importsOf(file)) {
    const name = packageOf(specifier);
    if (name !== undefined && !packages.has(name)) packages.set(name, line);
  }
  return packages;
}

/** Undefined when the list of files holds no package.json, as in samples about something else. */
function dependencies(files: readonly SourceFile[]): ReadonlySet<string> | undefined {
  const file = files.find(({ path }) => path === 'package.json');
  if (file === undefined) return undefined;
  const { dependencies = {} } = JSON.parse(file.text) as { dependencies?: Record<string, string> };
  return new Set(Object.keys(dependencies));
}
