/** Codes of what an operator can meet when sockets are opened. */
export const SERVER_ERRORS = {
  SERVER_ADDRESS_IN_USE: {
    cause: 'Another program already listens on the address and port without sharing it.',
    cure: 'Stop the other program (`ss -lunp`, `ss -ltnp` name it), or choose another address with `bind`.',
  },
  SERVER_ADDRESS_DENIED: {
    cause: 'Ports below 1024 need root or the capability CAP_NET_BIND_SERVICE.',
    cure: 'Add NET_BIND_SERVICE to the container, or choose a port from 1024 up with `-dns.port`.',
  },
  SERVER_ADDRESS_MISSING: {
    cause: 'The address to listen on is on none of this machine’s interfaces.',
    cure: 'Add the address to an interface first, or correct the `bind` line.',
  },
  SERVER_LISTEN: {
    cause: 'The system refused to open a listening socket for another reason.',
    cure: 'Read the system’s own words in the error’s cause.',
  },
} as const;

export type ServerErrorCode = keyof typeof SERVER_ERRORS;
