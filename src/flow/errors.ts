/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const FLOW_ERRORS = {
  FLOW_FILTER_UNKNOWN_FIELD: {
    cause:
      'A flow filter names a field that this server does not match, so its answer would be wrong silently.',
    cure: 'Leave the field out; the message lists the fields that are matched.',
  },
  FLOW_FILTER_INVALID: {
    cause:
      'A value in a flow filter has the wrong type or cannot be read (port, address, regular expression …).',
    cure: 'Correct the value the message quotes.',
  },
  FLOW_REQUEST_INVALID: {
    cause: 'A request for flows contradicts itself (first with follow) or has a value that cannot be read.',
    cure: 'Correct the field the message names.',
  },
  FLOW_FILE_UNREADABLE: {
    cause: 'The file of flows cannot be opened or read, or it is no text of lines.',
    cure: 'Name a file that `zerohop observe -o json` or `hubble observe -o json` has written, or - for standard input.',
  },
} as const;
