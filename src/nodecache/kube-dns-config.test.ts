import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import { EMPTY_CONFIG, parseKubeDnsConfig } from './kube-dns-config.ts';

function parse(files: Record<string, string>) {
  return parseKubeDnsConfig(new Map(Object.entries(files)));
}

describe('parseKubeDnsConfig', () => {
  it('reads stub domains and upstreams', () => {
    const config = parse({
      stubDomains: '{"acme.local": ["1.2.3.4", "1.2.3.5:5353"]}',
      upstreamNameservers: '["8.8.8.8", "2001:db8::1"]',
    });
    expect([...config.stubDomains]).toEqual([['acme.local', ['1.2.3.4', '1.2.3.5:5353']]]);
    expect(config.upstreamServers).toEqual(['8.8.8.8', '2001:db8::1']);
  });

  it('takes missing and empty keys for none', () => {
    expect(parse({})).toEqual(EMPTY_CONFIG);
    expect(parse({ stubDomains: '', upstreamNameservers: ' \n' })).toEqual(EMPTY_CONFIG);
  });

  const refused: [name: string, files: Record<string, string>, text: string][] = [
    ['what is not JSON', { stubDomains: '{' }, 'stubDomains is not JSON'],
    ['a list for an object', { stubDomains: '[]' }, 'stubDomains is not an object'],
    ['four upstreams', { upstreamNameservers: '["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]' }, 'more than 3'],
    [
      'a server by name',
      { stubDomains: '{"foo.com": ["ns.foo.com"]}' },
      'invalid nameservers [ns.foo.com] for the stub domain foo.com: not an IP address or file: "ns.foo.com"',
    ],
    ['a federation that is none', { federations: 'a.b=c' }, 'federations is not a list of name=domain'],
    ['a domain that is none', { stubDomains: '{"a b": ["1.1.1.1"]}' }, 'not a DNS-1123 subdomain'],
    [
      'text that would end the block and start another',
      { stubDomains: '{"a.test": ["1.1.1.1\\n}\\n. {\\nforward . 6.6.6.6"]}' },
      'invalid nameservers',
    ],
  ];
  it.each(refused)('refuses %s', (_name, files, text) => {
    expect(() => parse(files)).toThrow(text);
  });

  it('refuses any other JSON with an AppError', () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (stubDomains, upstreamNameservers) => {
        try {
          parse({ stubDomains, upstreamNameservers });
          return true;
        } catch (error) {
          return error instanceof AppError;
        }
      }),
    );
  });
});
