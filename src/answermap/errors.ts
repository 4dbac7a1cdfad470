/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const ANSWERMAP_ERRORS = {
  ANSWERMAP_LAYOUT: {
    cause:
      'The memory for kernel answers that the agent gave to this server is laid out for another version.',
    cure: 'Run agent and server from the same version; until then the server answers everything itself.',
  },
} as const;

export type AnswermapErrorCode = keyof typeof ANSWERMAP_ERRORS;
