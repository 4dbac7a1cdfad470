/**
 * Flags of a Go program as they stand in a container's arguments: `-name value`, `--name=value`, `-switch`. Read leniently:
 * what the program would refuse is not our finding, what it would be told is.
 */
const NODE_CACHE_SWITCHES: ReadonlySet<string> = new Set([
  'setupinterface',
  'setupiptables',
  'skipteardown',
  'reloadwithsignal',
  'quiet',
]);

/** The last one counts, as in Go. Undefined: not given. */
export function flagText(args: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  args.forEach((arg, index) => {
    const match = /^--?([a-z][a-z0-9.-]*)(?:=(.*))?$/s.exec(arg);
    if (match?.[1] !== name) return;
    found = match[2] ?? (NODE_CACHE_SWITCHES.has(name) ? 'true' : (args[index + 1] ?? ''));
  });
  return found;
}

/** As strconv.ParseBool reads it; what it would refuse counts as not given. */
export function flagSwitch(args: readonly string[], name: string, otherwise: boolean): boolean {
  const text = flagText(args, name);
  if (text === undefined) return otherwise;
  if (/^(1|t|true)$/i.test(text)) return true;
  return /^(0|f|false)$/i.test(text) ? false : otherwise;
}
