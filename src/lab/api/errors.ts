/** Codes of the lab API server's refusals as its in-process callers meet them; over HTTP the same are Status objects. */
export const LAB_API_ERRORS = {
  LAB_API_NOT_FOUND: {
    cause: 'The object, its namespace or its kind does not exist in the lab',
    cure: 'Check the name and the namespace',
  },
  LAB_API_CONFLICT: {
    cause: 'The object exists already, or its resourceVersion is not the one that was given',
    cure: 'Read the object again and repeat the change',
  },
  LAB_API_INVALID: {
    cause: 'The object lacks a required field or breaks a rule of its kind',
    cure: 'Correct the fields named in the message',
  },
  LAB_API_GONE: {
    cause: 'The resource version is older than the history that the lab keeps, or from before its start',
    cure: 'List again',
  },
  LAB_API_REFUSED: {
    cause: 'The request is not one that the lab understands',
    cure: 'The lab serves a small part of the Kubernetes API; the message says what is not in it',
  },
} as const;

export type LabApiErrorCode = keyof typeof LAB_API_ERRORS;
