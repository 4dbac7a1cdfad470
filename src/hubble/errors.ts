/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const HUBBLE_ERRORS = {
  HUBBLE_SOCKET_TAKEN: {
    cause: "Somebody already serves on the socket or port that Hubble's API was given.",
    cure: 'Stop the other server, or give this one another path or port.',
  },
  HUBBLE_SOCKET_UNUSABLE: {
    cause:
      'The socket cannot be made: its directory cannot be written, a file that is no socket has its name, or the address is not of this machine.',
    cure: 'Run as root, or give another path or address.',
  },
  HUBBLE_TLS_UNUSABLE: {
    cause:
      "A certificate, key or file of authorities for Hubble's API cannot be read, or they do not fit together.",
    cure: 'Name PEM files: a certificate, the key that belongs to it, and authorities.',
  },
  HUBBLE_TARGET_INVALID: {
    cause: 'The address of a Hubble server cannot be understood.',
    cure: 'Write unix:///path/to/socket, host:port or tls://host:port.',
  },
  HUBBLE_UNREACHABLE: {
    cause: 'No Hubble server answers at the address, it hung up, or it took too long.',
    cure: 'Look whether the server runs, and whether it wants TLS; as root, if only root may open its socket.',
  },
  HUBBLE_REFUSED: {
    cause: 'The Hubble server understood the request and refused it; the message says which part.',
    cure: 'Correct what the message names.',
  },
  HUBBLE_UNSUPPORTED: {
    cause: 'The Hubble server does not offer what was asked of it.',
    cure: 'Ask another server: a relay has no peers and no events of an agent, an old server lacks newer questions.',
  },
  HUBBLE_BUSY: {
    cause: 'The Hubble server has as many streams open as it allows.',
    cure: 'End other observers, or try again later.',
  },
  HUBBLE_NOT_RECORDING: {
    cause: 'The agent of the node was told to record no flows, so that it costs nothing.',
    cure: 'Start the agent without --no-flows.',
  },
  HUBBLE_TOO_LARGE: {
    cause:
      'A request has more filters than the Hubble server takes, or its answer is larger than any should be.',
    cure: 'Ask with fewer or shorter filters.',
  },
  HUBBLE_REQUEST_INVALID: {
    cause:
      'A request has a value that no such field can have: a time out of range, a field mask that names no field.',
    cure: 'Correct the field the message names.',
  },
  HUBBLE_OPTION_INVALID: {
    cause: "A flag of the relay or of a client of Hubble's API has a value that it cannot have.",
    cure: 'Correct the flag the message names.',
  },
} as const;

export type HubbleErrorCode = keyof typeof HUBBLE_ERRORS;
