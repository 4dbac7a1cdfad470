/** Codes of errors of the admin socket; docs/errors.md lists each. */
export const ADMIN_ERRORS = {
  ADMIN_NOBODY: {
    cause: 'No running server was found that an administrator could ask',
    cure: 'Run the command where the server runs (same files, same user), or name its socket with --socket',
  },
  ADMIN_SEVERAL: {
    cause: 'More than one server runs here, and the command did not say which is meant',
    cure: 'Name one with --socket; the message lists them',
  },
  ADMIN_UNREACHABLE: {
    cause: 'The admin socket could not be reached, or its server went away before it had answered',
    cure: 'Check that the process still runs and that you may write to its socket (root, or the same user)',
  },
  ADMIN_REQUEST: {
    cause: 'The server did not understand what it was asked',
    cure: 'Use the command of the same version as the server; zerohop COMMAND --help tells the words',
  },
  ADMIN_LISTEN: {
    cause: 'The admin socket named on the command line could not be opened',
    cure: 'Choose a path in a folder that exists and can be written to, which no other server uses',
  },
} as const;

export type AdminErrorCode = keyof typeof ADMIN_ERRORS;
