/**
 * The one error class operators meet. Match on `code`, never on the class or the text: both change.
 * Every code is listed with its cause and cure in docs/errors.md; a test compares the two ways.
 */
export class AppError extends Error {
  /** Stable, `UPPER_SNAKE`, unique in the program. */
  readonly code: string;
  /** What to do about it: one sentence, or nothing when there is no cure to name. */
  readonly hint: string | undefined;

  /** `message` reads "Cannot <verb> <thing>: <reason>: received <value>", capital, no full stop. */
  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** The text of whatever was thrown, without its stack. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of an `AppError` or a Node system error, if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
