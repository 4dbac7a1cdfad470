/** Environment variables inside tokens (dns-server 1.4): `{%NAME%}` first, then `{$NAME}`; a missing one is empty. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A value that brings its own marker back (`A={$A}`) would replace for ever. */
const MOST_REPLACEMENTS = 1000;

export function replaceEnvironment(text: string, env: Environment): string {
  if (!text.includes('{')) return text;
  return replaceBetween(replaceBetween(text, ['{%', '%}'], env), ['{$', '}'], env);
}

function replaceBetween(text: string, [open, close]: readonly [string, string], env: Environment): string {
  let result = text;
  for (let count = 0; count < MOST_REPLACEMENTS; count++) {
    const start = result.indexOf(open);
    const end = start < 0 ? -1 : result.indexOf(close, start + open.length);
    if (end < 0) return result;
    const name = result.slice(start + open.length, end);
    if (name === '') return result;
    const value = Object.hasOwn(env, name) ? (env[name] ?? '') : '';
    result = result.slice(0, start) + value + result.slice(end + close.length);
  }
  return result;
}
