/** A word of a command that is printed to be pasted into a shell. Names come from a cluster: none may end the word it is in. */
export function shellWord(text: string): string {
  return /^[a-zA-Z0-9_.:/=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
