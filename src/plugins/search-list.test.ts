import { describe, expect, it } from 'vitest';
import { parseSearch } from './search-list.ts';

describe('parseSearch', () => {
  it.each([
    [
      'the list',
      'nameserver 10.0.0.1\nsearch a.Example b.example.\noptions ndots:5\n',
      ['a.example.', 'b.example.'],
    ],
    ['the last line that sets it', 'search a\ndomain b.c d\n', ['b.c.']],
    ['nothing from comments', '# search a\nsearch b # c\n; search d', ['b.']],
    ['nothing from an empty file', '', []],
    ['no name that is none', `search a..b ${'x'.repeat(64)} ok`, ['ok.']],
    ['lines of other systems', 'search\ta  b\r\n', ['a.', 'b.']],
  ])('reads %s', (_case, text, list) => {
    expect(parseSearch(text)).toEqual(list);
  });
});
