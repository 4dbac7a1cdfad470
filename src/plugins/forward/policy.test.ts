import { describe, expect, it } from 'vitest';
import { makePolicy } from './policy.ts';

const three = ['a', 'b', 'c'];

describe('makePolicy', () => {
  it('sequential keeps the listed order', () => {
    const policy = makePolicy('sequential', () => 0);
    expect([policy(three), policy(three)]).toEqual([three, three]);
  });

  it('round_robin starts with the second and keeps the rest in listed order', () => {
    const policy = makePolicy('round_robin', () => 0);
    expect([1, 2, 3].map(() => policy(three).join(''))).toEqual(['bac', 'cab', 'abc']);
  });

  it('random puts every upstream first now and then, and never loses one', () => {
    const draws = [0, 0.4, 0.99, 0.5];
    let i = 0;
    const policy = makePolicy('random', () => draws[i++ % draws.length] ?? 0);
    const orders = Array.from({ length: 12 }, () => policy(three));
    expect(new Set(orders.map(([first]) => first)).size).toBe(3);
    for (const order of orders) expect([...order].sort()).toEqual(three);
  });
});
