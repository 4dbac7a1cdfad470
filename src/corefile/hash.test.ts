import { describe, expect, it } from 'vitest';
import { corefileJson } from './hash.ts';
import { tokenize } from './lexer.ts';

describe('corefileJson', () => {
  it('has the layout that CoreDNS hashes: sorted words, braces, escapes, no name for the main file', () => {
    const keys = tokenize('.:53', 'Corefile');
    const tokens = new Map([
      ['log', tokenize('\n\nlog . "<&>"', 'Corefile')],
      ['errors', tokenize('errors {\n}', '/etc/coredns/x')],
    ]);
    expect(corefileJson([{ keys, tokens }], 'Corefile')).toBe(
      '[{"Keys":[".:53"],"Tokens":{"errors":[' +
        '{"File":"/etc/coredns/x","Line":1,"Text":"errors"},' +
        '{"File":"/etc/coredns/x","Line":1,"Text":"{"},' +
        '{"File":"/etc/coredns/x","Line":2,"Text":"}"}],' +
        '"log":[{"File":"","Line":3,"Text":"log"},{"File":"","Line":3,"Text":"."},' +
        '{"File":"","Line":3,"Text":"\\u003c\\u0026\\u003e"}]}}]',
    );
  });
});
