/**
 * Which kernel modules must be loaded, and in which order. Debian's packages come without modules.dep, so what a module
 * needs is read from itself. Pure.
 */

/** What `depends=` in the .modinfo section of a module names; '-' and '_' mean the same. */
export function dependenciesOf(module: Buffer): readonly string[] {
  const at = module.indexOf('\0depends=', 0, 'latin1');
  const begin = at < 0 ? module.indexOf('depends=', 0, 'latin1') : at + 1;
  if (begin < 0) return [];
  const text = module.toString('latin1', begin + 'depends='.length, module.indexOf(0, begin));
  return text
    .split(',')
    .filter((name) => name !== '')
    .map(moduleName);
}

/** `nf-nat.ko.xz` and `nf_nat` are one module. */
export function moduleName(file: string): string {
  return file.replace(/\.ko(?:\.\w+)?$/, '').replaceAll('-', '_');
}

/**
 * `wanted` and all they need, each after what it needs. `read` gives a module's dependencies, undefined for one that is
 * not a file: built into the kernel, or unknown to it.
 */
export function loadOrder(
  wanted: readonly string[],
  read: (name: string) => readonly string[] | undefined,
): readonly string[] {
  const order = new Set<string>();
  const visit = (name: string, above: readonly string[]) => {
    if (order.has(name) || above.includes(name)) return;
    const needs = read(name);
    if (needs === undefined) return;
    for (const need of needs) visit(need, [...above, name]);
    order.add(name);
  };
  for (const name of wanted) visit(name, []);
  return [...order];
}
