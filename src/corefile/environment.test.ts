import { describe, expect, it } from 'vitest';
import { replaceEnvironment } from './environment.ts';

describe('replaceEnvironment', () => {
  const env = { PORT: '1053', HOST: 'example.org', NEST: '{$PORT}', SELF: '{$SELF}' };
  const cases: [name: string, text: string, result: string][] = [
    ['the dollar form', '.:{$PORT}', '.:1053'],
    ['the percent form', '{%HOST%}:53', 'example.org:53'],
    ['several in one token', '{$HOST}:{$PORT}', 'example.org:1053'],
    ['a missing variable is empty', 'a{$NOSUCH}b', 'ab'],
    ['names of objects are not variables', 'a{$constructor}b', 'ab'],
    ['an unterminated marker stays', '{$PORT', '{$PORT'],
    ['an empty name stops the replacement', '{$}{$PORT}', '{$}{$PORT}'],
    ['a value is replaced again', '{$NEST}', '1053'],
    ['template text with blanks is left alone', '{{ $x }}', '{{ $x }}'],
    ['template text without blanks is mangled', '{{$x}}', '{}'],
    ['a value that names itself ends', '{$SELF}', '{$SELF}'],
  ];
  it.each(cases)('%s', (_name, text, result) => {
    expect(replaceEnvironment(text, env)).toBe(result);
  });
});
