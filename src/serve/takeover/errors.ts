/** What can keep one process from taking over from another; both are as they were then. */
export const TAKEOVER_ERRORS = {
  TAKEOVER_REFUSED: {
    cause:
      'The process named by -takeover cannot hand over its sockets now, or another takes them at this moment.',
    cure: 'Wait for the other successor, or read the reason in the message; the running process goes on serving.',
  },
  TAKEOVER_ELSEWHERE: {
    cause:
      'The running process and this one are in different networks (pods without hostNetwork each have their own).',
    cure: 'Use -takeover only where both have the same network; this process has started as ever.',
  },
  TAKEOVER_CHANNEL: {
    cause: 'The sockets could not be passed from the running process to this one.',
    cure: 'Both need libc (see SYS_LIBC_UNAVAILABLE) and the same folder for their admin sockets, which they may write to.',
  },
} as const;

export type TakeoverErrorCode = keyof typeof TAKEOVER_ERRORS;
