/** Errors of expressions, which say where in the text they are. */
import { AppError } from '../fault/app-error.ts';
import type { ExpressionErrorCode } from './errors.ts';

/** An error to throw; `at` counts characters from 0. */
export function expressionFault(
  code: ExpressionErrorCode,
  reason: string,
  { at, hint }: { at: number; hint?: string | undefined },
): AppError {
  const text = `Cannot compile expression: ${reason}: at character ${at + 1}`;
  switch (code) {
    case 'EXPRESSION_SYNTAX':
      return new AppError('EXPRESSION_SYNTAX', text, hint === undefined ? {} : { hint });
    case 'EXPRESSION_TYPE':
      return new AppError('EXPRESSION_TYPE', text, hint === undefined ? {} : { hint });
  }
}
