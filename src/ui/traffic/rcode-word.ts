/** Response codes in the words of RFC 6895 section 2.3. */
const WORDS = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
  'DSOTYPENI',
];

export function rcodeWord(rcode: number): string {
  return WORDS[rcode] ?? `RCODE${rcode}`;
}
