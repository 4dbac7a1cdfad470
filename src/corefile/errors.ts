/** What can be wrong with a Corefile as text. The messages are CoreDNS's own, because operators search for them. */
export const COREFILE_ERRORS = {
  COREFILE_SYNTAX: {
    cause: 'Braces, commas or arguments do not stand where the Corefile grammar wants them.',
    cure: 'Look at the file and line in the message; a brace opens at the end of a line and closes on its own.',
  },
  COREFILE_UNKNOWN_DIRECTIVE: {
    cause: 'A word at the start of a line is not the name of a plugin.',
    cure: 'Correct the spelling; `-plugins` lists what there is.',
  },
  COREFILE_IMPORT: {
    cause: 'An import names a file that cannot be read, a pattern that is not allowed, or itself.',
    cure: 'Check the path, which starts from the directory of the importing file.',
  },
  COREFILE_SNIPPET: {
    cause: 'A snippet is defined twice.',
    cure: 'Rename one of the two.',
  },
  COREFILE_ZONE: {
    cause: 'The key of a server block is not `[scheme://]zone[:port]`.',
    cure: 'Write for example `example.org:53`, `.:5353` or `10.0.0.0/24`.',
  },
} as const;

export type CorefileErrorCode = keyof typeof COREFILE_ERRORS;
