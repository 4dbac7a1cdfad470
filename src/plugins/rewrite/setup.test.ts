import { describe, expect, it } from 'vitest';
import { setUp } from '../fake-host.ts';
import { setup } from './setup.ts';

describe('rewrite in a Corefile refuses', () => {
  it.each([
    { lines: 'rewrite', message: 'Corefile:2 - Error during parsing: no rule type specified for rewrite' },
    { lines: 'rewrite continue', message: 'continue rule must begin with a rule type' },
    { lines: 'rewrite nosuch a b', message: 'invalid rule type "nosuch"' },
    { lines: 'rewrite answer name a b', message: 'response rewrites must begin with a name rule' },
    { lines: 'rewrite name a', message: 'too few arguments for a name rule' },
    { lines: 'rewrite name fuzzy a b', message: 'supports only exact, prefix, suffix, substring, and regex' },
    { lines: 'rewrite name exact a b c', message: 'exceeded the number of arguments for a name rule: c' },
    { lines: 'rewrite name regex (a b', message: 'invalid regex pattern in a name rule: "(a"' },
    {
      lines: 'rewrite name regex (a) {2}',
      message: 'the replacement uses group {2}, but the regex pattern has 1',
    },
    {
      lines: `rewrite name regex ${'a'.repeat(10_001)} b`,
      message: 'regex pattern too long in a name rule: 10001 > 10000',
    },
    { lines: 'rewrite name regex a b answer', message: 'answer auto, answer name, answer value' },
    { lines: 'rewrite name regex a b answer name c', message: 'too few arguments for answer name' },
    {
      lines: 'rewrite name suffix a b answer auto answer name c d',
      message: 'cannot combine answer auto with answer name',
    },
    {
      lines: 'rewrite name suffix a b answer name c d answer auto',
      message: 'cannot combine answer auto with answer name',
    },
    { lines: 'rewrite type ANY', message: 'type rules must have exactly two arguments' },
    { lines: 'rewrite type ANY NOSUCH', message: 'invalid type "NOSUCH"' },
    { lines: 'rewrite class IN XX', message: 'invalid class "XX"' },
    { lines: 'rewrite ttl a. 30-20', message: 'invalid TTL "30-20"' },
    { lines: 'rewrite ttl a. -', message: 'invalid TTL "-"' },
    { lines: 'rewrite ttl a. 1h', message: 'invalid TTL "1h"' },
    { lines: 'rewrite ttl a.', message: 'too few arguments for a ttl rule' },
    { lines: 'rewrite rcode a. NOERROR', message: 'too few arguments for a rcode rule' },
    { lines: 'rewrite rcode a. NOERROR NOSUCH', message: 'invalid rcode "NOSUCH"' },
    { lines: 'rewrite cname a', message: 'too few arguments for a cname rule' },
    { lines: 'rewrite cname fuzzy a b', message: 'unknown cname rewrite type: fuzzy' },
    { lines: 'rewrite edns0 local', message: 'too few arguments for an EDNS0 rule' },
    { lines: 'rewrite edns0 local add 1 2', message: 'invalid action: "add"' },
    { lines: 'rewrite edns0 local set 1', message: 'EDNS0 local rules require exactly three args' },
    { lines: 'rewrite edns0 local set 65536 a', message: 'invalid EDNS0 option code "65536"' },
    { lines: 'rewrite edns0 local set 1 0x123', message: 'invalid hexadecimal data "0x123"' },
    { lines: 'rewrite edns0 local set 1 {nosuch}', message: 'unsupported variable name "{nosuch}"' },
    { lines: 'rewrite edns0 nsid set x', message: 'EDNS0 NSID rules can not have args' },
    { lines: 'rewrite edns0 subnet set 24', message: 'EDNS0 subnet rules require exactly three args' },
    { lines: 'rewrite edns0 subnet set 33 56', message: 'invalid IPv4 bit mask length 33' },
    { lines: 'rewrite edns0 subnet set 24 129', message: 'invalid IPv6 bit mask length 129' },
    { lines: 'rewrite edns0 nosuch set', message: 'invalid rule type "nosuch"' },
  ])('$lines', ({ lines, message }) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
