import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { readSrv } from '../../dns/rdata/srv.ts';
import type { Handler, Reply } from '../../server/handler.ts';
import { name, setUp } from '../fake-host.ts';
import { type AskOptions, ask } from '../fake-query.ts';
import { whoami } from './plugin.ts';
import { setup } from './setup.ts';

const nobody: Handler = () => {
  throw new Error('whoami passed a query on');
};

async function answer(qname: string, from: AskOptions = {}): Promise<Reply> {
  return await whoami(nobody)(ask(qname, 'A', from));
}

describe('whoami', () => {
  it('puts the client address and port into the additional section', async () => {
    const { rcode, message } = await answer('example.org.', { client: '10.0.0.7', port: 40212 });
    const [address, service] = message?.additionals ?? [];
    expect(rcode).toBe(0);
    expect(message?.flags.authoritative).toBe(true);
    expect(message?.answers).toEqual([]);
    expect(address && recordAddress(address)).toBe('10.0.0.7');
    expect(service?.name).toBe('_udp.example.org.');
    expect(service && readSrv(service)).toEqual({ priority: 0, weight: 0, port: 40212, target: '.' });
    expect([address?.ttlSeconds, service?.ttlSeconds]).toEqual([0, 0]);
  });

  it('names the transport', async () => {
    const { message } = await answer('example.org.', { transport: 'tcp' });
    expect(message?.additionals[1]?.name).toBe('_tcp.example.org.');
  });

  it('answers an IPv6 client with an AAAA record', async () => {
    const { message } = await answer('example.org.', { client: 'fd00::7' });
    expect(message?.additionals[0]).toMatchObject({ type: 28, name: 'example.org.' });
  });

  it('puts only the transport in front of the root', async () => {
    const { message } = await answer('.');
    expect(message?.additionals[1]?.name).toBe('_udp.');
  });

  it('leaves the SRV record out when its name would be too long', async () => {
    const longest = `${`${'a'.repeat(61)}.`.repeat(4)}abcd.`;
    const { message } = await answer(longest);
    expect(message?.additionals).toHaveLength(1);
  });

  it('makes a reply that survives the wire', async () => {
    const { message } = await answer('Example.org.');
    if (message === undefined) throw new Error('no reply');
    const decoded = decodeMessage(encodeMessage(message));
    expect(decoded).toMatchObject({ ok: true, value: { questions: [{ name: name('Example.org.') }] } });
  });
});

describe('whoami in a Corefile', () => {
  it('stands alone on its line', () => {
    expect(setUp(setup, 'whoami').plugin).toBe(whoami);
  });

  it.each([
    ['an argument', 'whoami really', /Corefile:2 .* unexpected line ending after 'really'/],
    ['an option', 'whoami {\nloudly\n}', /Corefile:3 .* unknown property 'loudly'/],
    ['a second one in its block', 'whoami\nwhoami', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
