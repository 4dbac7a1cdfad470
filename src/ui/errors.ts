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
} as const;

export type UiErrorCode = keyof typeof UI_ERRORS;
