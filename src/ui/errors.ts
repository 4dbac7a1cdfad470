/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const UI_ERRORS = {
  UI_LISTEN: {
    cause: 'The address for the page is taken, or may not be used by this user.',
    cure: 'Give another port with --port, or 0 for any free one.',
  },
  UI_NOT_LOOPBACK: {
    cause:
      'The page was to be served on an address that others can reach; it has no login, and DNS names are personal data.',
    cure: 'Use 127.0.0.1 or ::1, and reach it from elsewhere by kubectl port-forward or ssh -L.',
  },
  UI_DOCTOR: {
    cause:
      'The doctor that the page wanted to ask could not be started, did not end in time, or printed no report.',
    cure: 'Run zerohop doctor by hand: it says what is in its way. With --no-doctor the page does not ask.',
  },
} as const;

export type UiErrorCode = keyof typeof UI_ERRORS;
