/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const DOCTOR_ERRORS = {
  DOCTOR_OPTION_INVALID: {
    cause: 'A flag of zerohop doctor has a value that cannot be used.',
    cure: 'Correct the flag the message names; zerohop doctor --help lists what each takes.',
  },
} as const;

export type DoctorErrorCode = keyof typeof DOCTOR_ERRORS;
