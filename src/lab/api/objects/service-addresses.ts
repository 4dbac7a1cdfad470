/** Addresses for services that name none, from the upper part of the lab's 10.96.0.0/16; well-known ones lie lower. */
const FIRST = { third: 100, fourth: 1 };

export interface ServiceAddresses {
  /** The next address not in `used`; throws after 40 000 services, which no lab has. */
  next(used: ReadonlySet<string>): string;
}

export function createServiceAddresses(): ServiceAddresses {
  return {
    next(used) {
      for (let third = FIRST.third; third < 255; third++) {
        for (let fourth = FIRST.fourth; fourth < 255; fourth++) {
          const address = `10.96.${third}.${fourth}`;
          if (!used.has(address)) return address;
        }
      }
      throw new Error('Cannot allocate a service address: the range is used up');
    },
  };
}
