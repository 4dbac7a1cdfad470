/**
 * Text for a terminal. Tables and reasons repeat what a stranger wrote into an object (a service name in a policy is any
 * string), and that must neither steer a terminal nor flood it.
 */
const MAX_LENGTH = 1000;

/** Control and format characters and line ends become `?`; what is too long ends in `…`. */
export function printable(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  return clean.length <= MAX_LENGTH ? clean : `${clean.slice(0, MAX_LENGTH)}…`;
}
