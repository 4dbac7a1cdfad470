import { describe, expect, it } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { rulesFor } from '../filter/rules.ts';
import { Claims } from './claims.ts';

const ip = (text: string): Ip => {
  const value = parseIp(text);
  if (value === undefined) throw new Error(`Not an address: ${text}`);
  return value;
};
/** Nobody listens there: from the block for documentation. */
const [A, B] = [ip('192.0.2.10'), ip('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff')];
const rulesOf = (address: Ip) => rulesFor({ ip: address, port: 65535, healthPort: 65534 });

describe('Claims', () => {
  it('shows each what the other uses, until that is released', () => {
    const first = new Claims('fifteen-letters', 'aaaaaaaa', 65535);
    const second = new Claims('fifteen-letters', 'bbbbbbbb', 65535);
    first.holdAddresses([A, B]);
    first.holdRules([{ ip: B, port: 65535, healthPort: 65534 }]);
    const others = second.others();
    expect(others.anyAddress()).toBe(true);
    expect([others.address(A), others.address(B)]).toEqual([true, true]);
    expect(rulesOf(B).every((rule) => others.rule(rule))).toBe(true);
    expect(rulesOf(A).some((rule) => others.rule(rule))).toBe(false);
    expect(first.others().anyAddress()).toBe(false);
    first.release();
    expect(second.others().address(A)).toBe(false);
    expect(second.others().rule(rulesOf(B)[0] ?? fail())).toBe(false);
  });

  it('knows rules of an instance with another interface, but not its addresses', () => {
    const first = new Claims('zerohop-test-1', 'aaaaaaaa', 65535);
    const second = new Claims('zerohop-test-2', 'bbbbbbbb', 65535);
    first.holdAddresses([A]);
    first.holdRules([{ ip: A, port: 65535, healthPort: 65534 }]);
    expect(second.others().address(A)).toBe(false);
    expect(second.others().rule(rulesOf(A)[0] ?? fail())).toBe(true);
    first.release();
  });

  it('lets one at a time set up', () => {
    const first = new Claims('zerohop-test-3', 'aaaaaaaa', 53);
    const second = new Claims('zerohop-test-3', 'bbbbbbbb', 53);
    const unlock = first.tryLock();
    expect(second.tryLock()).toBeUndefined();
    unlock?.();
    second.tryLock()?.();
  });
});

function fail(): never {
  throw new Error('there is such a rule');
}
