/** resolv.conf(5), as a process sees it: in its own mount namespace. */
import type { ResolvConfFact } from '../node-facts.ts';
import { insideRoot, readBounded } from './bounded-file.ts';

const FILE = '/etc/resolv.conf';
const LIMIT_BYTES = 65_536;
/** What the C library reads of it, and no more (MAXNS). */
const MAX_NAMESERVERS = 3;
/** More than any kubelet writes; what a pod writes itself may be anything. */
const MAX_WORDS = 32;

/** `path` is the process's own. Throws as the file system does: it may be gone, or not ours to look into. */
export function readResolvConf(pid: number | 'self', path = FILE): ResolvConfFact {
  const real = pid === 'self' ? path : insideRoot(`/proc/${pid}/root`, path);
  return { path, ...parseResolvConf(readBounded(real, LIMIT_BYTES)) };
}

/** Words as they stand there: what is no address is a finding. The last `search` or `domain` is in force. */
export function parseResolvConf(text: string): Omit<ResolvConfFact, 'path'> {
  const nameservers: string[] = [];
  const options: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (word === 'nameserver' && values[0] !== undefined) nameservers.push(values[0]);
    else if (word === 'search' || word === 'domain') search = values;
    else if (word === 'options') options.push(...values);
  }
  return {
    nameservers: nameservers.slice(0, MAX_NAMESERVERS),
    search: search.slice(0, MAX_WORDS),
    options: options.slice(0, MAX_WORDS),
  };
}
