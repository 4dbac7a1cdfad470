/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const HEARTBEAT_ERRORS = {
  HEARTBEAT_MESSAGE: {
    cause:
      'A cache and the agent of its node do not understand each other: what one said the other cannot read.',
    cure: 'Run both from the same version; until then the agent judges the cache by probes alone.',
  },
} as const;

export type HeartbeatErrorCode = keyof typeof HEARTBEAT_ERRORS;
