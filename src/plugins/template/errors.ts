/** What can be wrong with a template. Values: the first kind is found when the Corefile is read, the second by a query. */
export const TEMPLATE_ERRORS = {
  TEMPLATE_SYNTAX: {
    cause:
      'A template cannot be read: an action is not closed, or it names a function, variable or field that is none.',
    cure: "Compare it with the README of the template plugin; write '{{ $x }}' with blanks, since '{$x}' is an environment variable.",
  },
  TEMPLATE_EXECUTION: {
    cause:
      'A template could not be carried out for a query, for example because a part of the name is no number.',
    cure: 'Let the match line accept only names that the template can work with.',
  },
} as const;

export type TemplateErrorCode = keyof typeof TEMPLATE_ERRORS;
