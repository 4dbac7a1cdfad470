/** The order of names in signed zones (RFC 4034 section 6.1), as texts that compare with `<`. */
import { canonicalName, type Name, nameLabels } from '../../dns/name.ts';

const ESCAPE = /\\(?:(\d{3})|(.))/gs;

/**
 * Labels from the right, each ended by U+0000 and its bytes moved up by one, so that a name comes before all below it
 * and a label before those it begins.
 */
export function canonicalKey(name: Name): string {
  let key = '';
  for (const label of nameLabels(canonicalName(name)).reverse()) key += `${shifted(label)}\0`;
  return key;
}

function shifted(label: string): string {
  const bytes = label.includes('\\') ? label.replace(ESCAPE, byteOf) : label;
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes.charCodeAt(i) + 1);
  return text;
}

function byteOf(_: string, code: string | undefined, char: string | undefined): string {
  return code === undefined ? (char ?? '') : String.fromCharCode(Number(code));
}
