/**
 * What may not reach a terminal or a log as it is. Names come from whoever asks, so nothing printed may move a cursor, end a
 * line or turn the direction of writing.
 */

/** ESC and CR as the stock CLI shows them; every other control or format character, which it lets through, as `\xNN`. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\x1b') return '^[';
    if (character === '\r') return '\\r';
    if (character === '\n') return '\\n';
    return `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
  });
}

/**
 * What JSON.stringify leaves as it is and a reader may obey: C1 controls (to a terminal U+009B is ESC [), marks that turn
 * the direction of writing, and U+2028 and U+2029, at which some split lines. `json` may also be YAML in double quotes.
 */
export function escapeSteering(json: string): string {
  return json.replace(STEERING, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

const STEERING = /[\p{Cf}\u2028\u2029\u007f-\u009f]/gu;
