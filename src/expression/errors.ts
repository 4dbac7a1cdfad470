/** What can be wrong with an expression; thrown when it is compiled, never when it is evaluated. */
export const EXPRESSION_ERRORS = {
  EXPRESSION_SYNTAX: {
    cause: 'An expression cannot be read: a sign or word stands where none of its kind can stand.',
    cure: 'Look at the place that the message names; texts stand in single quotes, functions need parentheses.',
  },
  EXPRESSION_TYPE: {
    cause: 'An expression uses a function that does not exist, or puts together values of different kinds.',
    cure: "Compare the functions and their kinds with the plugin's README: ports, for example, are texts.",
  },
} as const;

export type ExpressionErrorCode = keyof typeof EXPRESSION_ERRORS;
