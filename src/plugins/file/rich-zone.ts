/** For tests: one zone with everything in it that makes answers differ, unsigned and as if it had been signed. */
import { CLASS, TYPE, typeName } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { readMasterFile } from '../../zonefile/master-file.ts';
import { formatRecordText } from '../../zonefile/record-text.ts';
import { name } from '../fake-host.ts';
import { canonicalKey } from './canonical-order.ts';
import { type Zone, ZoneBuilder, type ZoneNode } from './zone.ts';

export const RICH_ORIGIN = name('rich.test.');

export const RICH_ZONE = `$TTL 3600
@            SOA  ns1 hostmaster.rich.test. 2026010101 7200 1800 1209600 300
             NS   ns1
             NS   ns2.rich.test.
             NS   ns.outside.test.
             MX   10 mail
             MX   20 mail.outside.test.
             TXT  "v=spf1 mx -all" "second string"
             A    192.0.2.1
ns1          A    192.0.2.53
ns2          A    192.0.2.54
             AAAA 2001:db8::54
mail         A    192.0.2.25
             AAAA 2001:db8::25
Mixed.Case   A    192.0.2.26
; aliases
www          CNAME web
web          A    192.0.2.80
             AAAA 2001:db8::80
chain1       CNAME chain2
chain2  60   CNAME chain3
chain3       CNAME web
dangling     CNAME nowhere
outward      CNAME www.outside.test.
loop1        CNAME loop2
loop2        CNAME loop1
self         CNAME self
to-ent       CNAME ent
to-cut       CNAME host.sub
to-wild      CNAME anything.wild
to-dname     CNAME a.b.redirect
; empty non-terminals
deep.in.ent  A    192.0.2.90
_http._tcp   SRV  10 60 8080 web
             SRV  20 0 8081 mail
             SRV  30 0 8082 host.sub
_sip._udp    SRV  0 0 5060 sip.outside.test.
; wildcards
*.wild       A    192.0.2.100
             MX   5 mail
             TXT  "any"
known.wild   TXT  "known"
x.y.wild     A    192.0.2.101
*.alias      CNAME web
*.out        CNAME www.outside.test.
*.lost       CNAME nowhere
a.*.star     A    192.0.2.102
*.mx         MX   10 anything.wild
*.ttl   0    A    192.0.2.103
; delegations
sub          NS   ns.sub
             NS   ns.outside.test.
ns.sub       A    192.0.2.110
             AAAA 2001:db8::110
host.sub     A    192.0.2.111
*.sub        A    192.0.2.112
secure       NS   ns1
             DS   60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
below.cut.ent NS  ns.sub
sister       NS   ns.secure
ns.secure    A    192.0.2.113
; redirection
redirect     DNAME target
             TXT  "beside the DNAME"
target       A    192.0.2.120
a.target     A    192.0.2.121
b.target     CNAME web
abroad       DNAME outside.test.
circle       DNAME circle
to.wild.by   DNAME wild
long         DNAME ${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.target
; other types
srv-less     HTTPS 1 web alpn=h2
svc          SVCB 1 . port=8443
             A    192.0.2.130
esc\\.dot     A    192.0.2.131
\\000\\255     A    192.0.2.132
many         A    192.0.2.140
             A    192.0.2.141
             A    192.0.2.142
             A    192.0.2.140
caa          CAA  0 issue "ca.test"
ptr          PTR  web
unknown      TYPE65280 \\# 4 0a000001
$GENERATE 1-9/2 gen-$ A 192.0.2.\${150,3,d}
`;

/** Throws when the text is no zone: these are texts of tests. */
export function zoneOfText(text: string, origin: Name): Zone {
  const builder = new ZoneBuilder(canonicalName(origin));
  const records = readMasterFile({ file: 'db', text }, { origin });
  let next = records.next();
  for (; !next.done; next = records.next()) {
    const refusal = builder.add(next.value);
    if (refusal !== undefined) throw new Error(refusal);
  }
  const zone = builder.build();
  if (next.value !== undefined || zone === undefined) throw new Error(next.value?.reason ?? 'no SOA');
  return zone;
}

/**
 * The text of the same zone with a chain of NSEC records and signatures where RFC 4035 section 2 wants them. The
 * signatures are no signatures: servers hand them out as they stand.
 */
export function signedText(zone: Zone): string {
  const owners = [...zone.nodes.values()]
    .filter((node) => node.sets.length > 0 && !isBelowCut(zone, node))
    .map((node) => ({ node, key: canonicalKey(node.name) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ node }) => node);
  const lines = [...zone.nodes.values()].flatMap(({ sets }) => sets.flat()).map(formatRecordText);
  for (const [i, node] of owners.entries()) {
    const isCut = node !== zone.apex && node.sets.some(([first]) => first?.type === TYPE.NS);
    const types = node.sets.map(([first]) => first?.type ?? 0);
    const signed = isCut ? types.filter((type) => type === TYPE.DS) : types;
    const bitmap = [...types, TYPE.RRSIG, TYPE.NSEC].map(typeName).join(' ');
    const next = (owners[i + 1] ?? zone.apex).name;
    lines.push(`${escaped(node.name)} 300 IN NSEC ${escaped(next)} ${bitmap}`);
    for (const type of [...signed, TYPE.NSEC]) lines.push(signature(zone, node, type));
  }
  const soa = lines.findIndex((line) => line.includes(' IN SOA '));
  return [lines[soa], ...lines.filter((_, i) => i !== soa)].join('\n');
}

function signature(zone: Zone, { name: owner, sets }: ZoneNode, type: number): string {
  const labels = owner.split('.').filter((label) => label !== '' && label !== '*').length;
  const ttl = sets.find(([first]) => first?.type === type)?.[0]?.ttlSeconds ?? 300;
  const times = `${ttl} 20300101000000 20260101000000 12345`;
  return `${escaped(owner)} ${ttl} IN RRSIG ${typeName(type)} 8 ${labels} ${times} ${zone.origin} AAAA`;
}

function isBelowCut(zone: Zone, { name: owner }: ZoneNode): boolean {
  for (const { name: cut, sets } of zone.nodes.values()) {
    const hides = sets.some(([first]) => first?.type === TYPE.NS || first?.type === TYPE.DNAME);
    if (hides && cut !== zone.origin && owner !== cut && owner.endsWith(`.${cut}`)) return true;
  }
  return false;
}

/** An owner alone, by the one writer there is of names in text. */
function escaped(owner: Name): string {
  const record: ResourceRecord = {
    name: owner,
    type: TYPE.NULL,
    class: CLASS.IN,
    ttlSeconds: 0,
    rdata: new Uint8Array(0),
  };
  return formatRecordText(record).split(' ')[0] ?? '';
}
