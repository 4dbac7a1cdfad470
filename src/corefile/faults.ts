/** Corefile refusals in CoreDNS's words (dns-server 1.7), each with the file and line of the token it is about. */
import { AppError } from '../fault/app-error.ts';
import type { Token } from './ast.ts';
import type { CorefileErrorCode } from './errors.ts';

export type Place = Pick<Token, 'file' | 'line'>;

interface FaultOptions {
  readonly code?: CorefileErrorCode;
  readonly hint?: string;
}

export function parsingFault(place: Place, reason: string, { code, hint }: FaultOptions = {}): AppError {
  const text = `${place.file}:${place.line} - Error during parsing: ${reason}`;
  return new AppError(code ?? 'COREFILE_SYNTAX', text, hint === undefined ? {} : { hint });
}

export function expectationFault(found: Token, expected: string): AppError {
  const text = `Syntax error: Unexpected token '${found.text}', expecting '${expected}'`;
  return new AppError('COREFILE_SYNTAX', `${found.file}:${found.line} - ${text}`);
}

/** The token after which something is missing, or the one that is too many. */
export function argumentFault(token: Token): AppError {
  if (token.text === '{' && !token.quoted)
    return parsingFault(token, `Unexpected token '{', expecting argument`);
  return parsingFault(token, `Wrong argument count or unexpected line ending after '${token.text}'`);
}
