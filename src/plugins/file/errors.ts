/** What keeps a zone file from being served. Thrown when the server starts; later the old zone stays and the log tells. */
export const FILE_ERRORS = {
  FILE_UNREADABLE: {
    cause: 'A zone file cannot be opened, and with reload 0 nobody would ever look for it again.',
    cure: 'Correct the path, which is relative to the directory of the root plugin, or let the file be looked at again.',
  },
  FILE_BROKEN: {
    cause: 'A zone file has a line that is no record and no directive, or no SOA record for its zone.',
    cure: 'Correct the line; names in the file are relative to the zone that the file line of the Corefile names.',
  },
} as const;

export type FileErrorCode = keyof typeof FILE_ERRORS;
