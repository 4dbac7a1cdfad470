import { describe, expect, it } from 'vitest';
import { Flights } from './flights.ts';

describe('Flights', () => {
  it('tells all who joined, once, and starts anew afterwards', () => {
    const flights = new Flights<number>();
    const told: string[] = [];
    const landings: ((value: number) => void)[] = [];
    const join = (who: string) =>
      flights.join(
        'key',
        (value) => told.push(`${who}${value}`),
        (land) => landings.push(land),
      );
    join('a');
    join('b');
    expect(landings).toHaveLength(1);
    landings[0]?.(1);
    expect(told).toEqual(['a1', 'b1']);
    expect(flights.size).toBe(0);
    join('c');
    expect(landings).toHaveLength(2);
  });

  it('lets who asks again while being told start a flight of its own', () => {
    const flights = new Flights<number>();
    let started = 0;
    const start = (land: (value: number) => void) => {
      started++;
      if (started === 1) land(1);
    };
    flights.join('key', () => flights.join('key', () => undefined, start), start);
    expect(started).toBe(2);
  });

  it('forgets a flight that could not start', () => {
    const flights = new Flights<number>();
    const broken = () => {
      throw new Error('a bug');
    };
    expect(() => flights.join('key', () => undefined, broken)).toThrow('a bug');
    expect(flights.size).toBe(0);
  });
});
