import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenize } from './lexer.ts';

describe('tokenize', () => {
  const cases: [name: string, text: string, words: string[]][] = [
    ['words are split at blanks and lines', 'a b\n\tc', ['a', 'b', 'c']],
    ['a byte order mark is dropped', '\uFEFFa', ['a']],
    ['a carriage return vanishes without ending the word', 'a\rb\r\nc', ['ab', 'c']],
    ['a comment starts inside a word too', 'foo#bar baz\nqux', ['foo', 'qux']],
    ['a quoted hash is no comment', '"a#b"', ['a#b']],
    ['quotes keep blanks', '"a b" c', ['a b', 'c']],
    ['an escaped quote is a quote', String.raw`"a\"b"`, ['a"b']],
    ['other backslashes stay', String.raw`"a\\b\n"`, [String.raw`a\\b\n`]],
    ['quotes may span lines', '"a\nb" c', ['a\nb', 'c']],
    ['a closing quote ends the token', '"a"b', ['a', 'b']],
    ['an empty quoted token counts', '"" a', ['', 'a']],
    ['a quote inside a word is literal', 'a"b c"', ['a"b', 'c"']],
    ['an unterminated quote keeps its text', '"abc', ['abc']],
    ['an unterminated empty quote is nothing', 'a "', ['a']],
    ['braces are words', 'foo{ { }}', ['foo{', '{', '}}']],
    ['other Unicode blanks split as well', 'a\u3000b\u0085c', ['a', 'b', 'c']],
    ['Korean comments are skipped', '.:53 { # 모든 도메인\n}', ['.:53', '{', '}']],
  ];
  it.each(cases)('%s', (_name, text, words) => {
    expect(tokenize(text, 'Corefile').map((token) => token.text)).toEqual(words);
  });

  it('tells where each token starts, in lines and code points', () => {
    const places = tokenize('a "x\ny" b\n  🜚 c', 'F').map((t) => [t.text, t.line, t.column]);
    expect(places).toEqual([
      ['a', 1, 1],
      ['x\ny', 1, 3],
      ['b', 2, 4],
      ['🜚', 3, 3],
      ['c', 3, 5],
    ]);
  });

  it('never throws or hangs on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => Array.isArray(tokenize(text, 'F'))));
  });
});
