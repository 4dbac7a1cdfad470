/**
 * A real NSD with the same zone files as judge: thousands of questions, and every difference in rcode, AA, answer or
 * authority is either here by name with its reason, or a fault.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RCODE, rcodeName } from '../../dns/codes.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { isSubdomain, joinName, type Name, parentName } from '../../dns/name.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import type { Query } from '../../server/handler.ts';
import { formatRecordText } from '../../zonefile/record-text.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { RICH_ORIGIN, RICH_ZONE, signedText, zoneOfText } from './rich-zone.ts';
import { setup } from './setup.ts';
import type { Zone } from './zone.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-nsd-'));
const at = (file: string) => join(directory, file);
const zone = zoneOfText(RICH_ZONE, RICH_ORIGIN);
const SIGNED_ORIGIN = name('signed.test.');
const signedZone = zoneOfText(
  `${RICH_ZONE.replaceAll('rich.test.', 'signed.test.')}\n@ DNSKEY 257 3 8 AQPS\n`,
  SIGNED_ORIGIN,
);
let port = 0;
let nsd: ChildProcess | undefined;
const START_MS = 40_000;
/** For one answer, on a machine that is busy with other things. */
const ANSWER_MS = 15_000;
const TYPES = 'A AAAA NS SOA MX TXT CNAME DNAME DS SRV PTR HTTPS NSEC DNSKEY TYPE65280'.split(' ');

beforeAll(async () => {
  port = await freePort();
  // NSD knows no $GENERATE; all else it reads from the very same text, so that our reading is judged as well.
  const generated = [1, 3, 5, 7, 9].map((i) => `gen-${i} A 192.0.2.15${i}`).join('\n');
  writeFileSync(at('rich.db'), RICH_ZONE.replace(/^\$GENERATE .*$/m, generated));
  writeFileSync(at('rich.source.db'), RICH_ZONE);
  writeFileSync(at('signed.db'), signedText(signedZone));
  const zones = ['rich', 'signed'].map((word) => `zone:\n  name: ${word}.test\n  zonefile: ${word}.db\n`);
  writeFileSync(
    at('nsd.conf'),
    `server:
  ip-address: 127.0.0.1@${port}
  zonesdir: "${directory}"
  database: ""
  username: ""
  chroot: ""
  pidfile: ""
  logfile: "${at('nsd.log')}"
  xfrdfile: ""
  zonelistfile: "${at('zone.list')}"
  xfrdir: "${directory}"
  server-count: 1
  ipv4-edns-size: 65000
  round-robin: no
  rrl-ratelimit: 0
remote-control:
  control-enable: no
${zones.join('')}`,
  );
  nsd = spawn('nsd', ['-d', '-c', at('nsd.conf')], { stdio: 'ignore' });
  for (const deadline = performance.now() + START_MS; performance.now() < deadline; ) {
    if ((await askNsd(ask('rich.test', 'SOA', { udpSize: 4096 }))) !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('NSD did not start');
});

afterAll(async () => {
  if (nsd?.exitCode === null) {
    const gone = once(nsd, 'exit');
    nsd.kill('SIGTERM');
    await gone;
  }
  rmSync(directory, { recursive: true });
});

async function askNsd({ wire }: Query): Promise<Message | undefined> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.send(wire);
    const [bytes] = await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
    const decoded = decodeMessage(bytes);
    return decoded.ok ? decoded.value : undefined;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** Each name of the zone, what is below it, and what is beside it. */
function namesOf({ origin, nodes }: Zone): readonly Name[] {
  const asked = new Set<Name>();
  for (const each of nodes.keys()) {
    const below = [['x'], ['x', 'y'], ['*']].flatMap((labels) => joinName(labels, each) ?? []);
    const beside = joinName(['beside'], parentName(each) ?? each) ?? each;
    for (const found of [each, name(each.toUpperCase()), beside, ...below]) asked.add(found);
  }
  return [...asked].filter((each) => isSubdomain(origin, each));
}

interface Seen {
  readonly rcode: string;
  readonly authoritative: boolean;
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
}

/** In lower case: which spelling comes back is a matter of compression (RFC 4343 section 4.1). */
function seen(message: Message): Seen {
  const texts = (records: readonly ResourceRecord[]) =>
    records.map((each) => formatRecordText(each).toLowerCase()).sort();
  return {
    rcode: rcodeName(message.rcode),
    authoritative: message.flags.authoritative,
    answers: texts(message.answers),
    authorities: texts(message.authorities),
  };
}

/** The same, or different where we know why. */
function agree(us: Seen, them: Seen): boolean {
  if (us.rcode !== them.rcode || us.authoritative !== them.authoritative) return false;
  if (us.answers.join('\n') !== them.answers.join('\n')) return false;
  const differing = [
    ...us.authorities.filter((line) => !them.authorities.includes(line)),
    ...them.authorities.filter((line) => !us.authorities.includes(line)),
  ];
  if (differing.length === 0) return us.authorities.length === them.authorities.length;
  // Where a DNAME leads, NSD proves the denial or the wildcard of another name, or not at all; RFC 4035 sections 3.1.3.2
  // and 3.1.3.3 want the spans around the name that the redirection ends at.
  const isRedirected = us.answers.some((line) => / in dname /.test(line));
  if (isRedirected && differing.every((line) => PROOF.test(line))) return true;
  // CoreDNS names the zone's servers behind an alias that ends outside of the zone or in a circle, and beside keys; NSD
  // does not.
  const isSpared = us.answers.length > 0 && us.answers.every((line) => SPARED.test(line));
  const isMore = us.authorities.length === them.authorities.length + differing.length;
  return us.rcode === 'NOERROR' && isSpared && isMore && differing.every((line) => SERVERS.test(line));
}

const SPARED = / in (rrsig )?(cname|dname|ds|dnskey) /;
const SERVERS = / in (rrsig )?ns /;
const PROOF = / in (rrsig )?nsec /;

async function plugin(file: string, origin: string) {
  const host = fakeHost({ directory, resolve: async () => undefined });
  const instance = setUp(setup, `file ${file} ${origin} { \n reload 0 \n }`, { host });
  await instance.onStart?.();
  const handler = instance.plugin?.(() => ({ rcode: RCODE.REFUSED }));
  if (handler === undefined) throw new Error('no plugin');
  return async (query: Query) => {
    const { message } = await handler(query);
    const decoded = message && decodeMessage(encodeMessage(message));
    if (decoded?.ok !== true) throw new Error(`no reply: ${query.question.name}`);
    return decoded.value;
  };
}

async function differences(
  file: string,
  origin: Name,
  options: { dnssecOk: boolean; names: readonly Name[] },
) {
  const ours = await plugin(file, origin);
  const found: unknown[] = [];
  let count = 0;
  for (const qname of options.names) {
    for (const type of TYPES) {
      const query = ask(qname, type, { udpSize: 60_000, dnssecOk: options.dnssecOk });
      const reply = await askNsd(query);
      if (reply === undefined) throw new Error(`NSD is silent: ${qname} ${type}`);
      count++;
      const [us, them] = [seen(await ours(query)), seen(reply)];
      if (!agree(us, them)) found.push({ question: `${qname} ${type}`, us, them });
    }
  }
  return { found, count };
}

describe('file and NSD', () => {
  it.each([
    { what: 'of a plain zone', file: 'rich.source.db', of: zone, dnssecOk: false },
    { what: 'of a plain zone that is asked with DO', file: 'rich.source.db', of: zone, dnssecOk: true },
    { what: 'of a signed zone', file: 'signed.db', of: signedZone, dnssecOk: false },
    { what: 'of a signed zone that is asked with DO', file: 'signed.db', of: signedZone, dnssecOk: true },
  ])('give the same answers $what', async ({ file, of, dnssecOk }) => {
    const names = namesOf(of);
    const { found, count } = await differences(file, of.origin, { dnssecOk, names });
    expect(count).toBeGreaterThan(500);
    expect(found).toEqual([]);
  });
});
