import { describe, expect, it } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { heartbeatPath, presenceOf } from './server-heartbeat.ts';

const ip = (text: string): Ip => parseIp(text) ?? never();
function never(): never {
  throw new Error('no address');
}
const at = (address: string, port = 53) => ({ address: ip(address), port });
const interfaces = () => [ip('172.20.1.9'), ip('fd00::9')];

describe('presenceOf', () => {
  it('is where listeners are bound, each address and port once', () => {
    const listeners = [at('169.254.20.10'), at('10.96.0.10'), at('169.254.20.10', 5353)];
    expect(presenceOf(listeners, [], interfaces)).toEqual({
      addresses: ['169.254.20.10', '10.96.0.10'],
      ports: [53, 5353],
    });
  });

  it('is every address of the network namespace for a wildcard, and those the node cache is given', () => {
    expect(presenceOf([at('0.0.0.0'), at('::')], [ip('169.254.20.10')], interfaces)).toEqual({
      addresses: ['169.254.20.10', '172.20.1.9', 'fd00::9'],
      ports: [53],
    });
  });

  it('names no more than an agent takes', () => {
    const many = Array.from({ length: 300 }, (_, i) => ip(`10.0.${i >> 8}.${i & 255}`));
    const ports = Array.from({ length: 40 }, (_, i) => at('0.0.0.0', i + 1));
    const presence = presenceOf(ports, [ip('169.254.20.10')], () => many);
    expect([presence.addresses.length, presence.ports.length]).toEqual([64, 16]);
    expect(presence.addresses[0]).toBe('169.254.20.10');
  });
});

describe('heartbeatPath', () => {
  it.each([
    ['the flag', '/a', { ZEROHOP_HEARTBEAT: '/b' }, '/a'],
    ['the environment without one', '', { ZEROHOP_HEARTBEAT: '/b' }, '/b'],
    ['nothing when the flag says off', 'off', { ZEROHOP_HEARTBEAT: '/b' }, undefined],
    ['nothing when the environment says off', '', { ZEROHOP_HEARTBEAT: 'off' }, undefined],
  ])('takes %s', (_, flag, env, path) => {
    expect(heartbeatPath(flag, env)).toBe(path);
  });
});
