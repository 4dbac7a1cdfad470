/**
 * What mutation begins with: queries as clients send them, of all kinds, and some that only an attacker sends. The names
 * are those that the servers under test know (`fuzz-corefile.ts`), so that a small mutation still gets an answer.
 */
import { buildPacket, nameBytes, option, optRecord, u16 } from './wire/packet-builder.ts';

/** What the cache may answer from the packet thread. */
export const CACHED_NAMES = [
  'a.up.test',
  'b.up.test',
  'none.up.test',
  'nodata.up.test',
  'alias.up.test',
  'large.up.test',
  'mixed.up.test',
  'web.default.svc.cluster.local',
  'db.data.svc.cluster.local',
  'missing.default.svc.cluster.local',
  'host.hosts.test',
  'very-long-service-name.some-quite-long-namespace-name.svc.cluster.local',
] as const;

const NAMES = [
  ...CACHED_NAMES,
  'web-0.db.data.svc.cluster.local',
  '_http._tcp.web.default.svc.cluster.local',
  '10-244-0-7.default.pod.cluster.local',
  'out.default.svc.cluster.local',
  'dns-version.cluster.local',
  'ns.dns.cluster.local',
  'cluster.local',
  '10.0.96.10.in-addr.arpa',
  '7.0.244.10.in-addr.arpa',
  '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  'ip-10-0-0-7.tpl.test',
  'regex.tpl.test',
  'rewritten.tpl.test',
  'exact.tpl.test',
  'four.six.test',
  'who.am.i.test',
  'version.bind',
  'cut.up.test',
  'slow.up.test',
  '',
  'localhost',
  'a.very.deep.name.with.more.labels.than.any.client.ever.asks.for.in.a.cluster.of.this.kind.up.test',
  `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.up.test`,
  `${'x.'.repeat(120)}test`,
  '*.up.test',
  'we\x00ird.\xff\xfe.up.test',
] as const;

/** A NS CNAME SOA NULL PTR HINFO MX TXT AAAA SRV NAPTR DNAME OPT DS RRSIG HTTPS TSIG IXFR AXFR ANY CAA, none, unknown. */
const TYPES = [
  1, 28, 1, 28, 2, 5, 6, 10, 12, 13, 15, 16, 33, 35, 39, 41, 43, 46, 65, 250, 251, 252, 255, 257, 0, 65_400,
];
/** QUERY with and without RD, AD, CD; IQUERY, STATUS, NOTIFY, UPDATE, an unknown one; a reply; all bits. */
const HEADER_BITS = [
  0x0100, 0x0000, 0x0120, 0x0110, 0x0130, 0x0900, 0x1100, 0x2100, 0x2900, 0x7900, 0x8180, 0xffff,
];
const COOKIE = option(10, [1, 2, 3, 4, 5, 6, 7, 8]);
const SUBNET = option(8, [...u16(1), 24, 0, 192, 0, 2]);
const OPTS = [
  optRecord(),
  optRecord({ size: 512 }),
  optRecord({ size: 0 }),
  optRecord({ size: 65_535 }),
  optRecord({ size: 4096, ttl: 0x8000 }),
  optRecord({ ttl: 0x0001_0000 }),
  optRecord({ options: COOKIE }),
  optRecord({
    options: option(
      10,
      Array.from({ length: 40 }, (_, i) => i),
    ),
  }),
  optRecord({ options: SUBNET }),
  optRecord({ options: [...COOKIE, ...SUBNET, ...option(3, []), ...option(12, Array(60).fill(0))] }),
  optRecord({ options: [...option(11, []), ...option(9, []), ...option(65_001, [1, 2, 3])] }),
];
const SOA = [...nameBytes('ns.up.test'), ...nameBytes('hostmaster.up.test'), ...Array(20).fill(1)];
const POINTER_TO_NAME = [0xc0, 12];

/** Every packet is well-formed but those of `hostilePackets`. */
export function corpus(): readonly Uint8Array[] {
  const packets: Uint8Array[] = [];
  NAMES.forEach((name, i) => {
    for (const type of [1, 28, 16, 255]) packets.push(buildPacket({ name, type }));
    for (const opt of OPTS) {
      packets.push(buildPacket({ name, type: TYPES[i % 4] ?? 1, additionals: [opt] }));
    }
  });
  for (const name of [
    'web.default.svc.cluster.local',
    'a.up.test',
    'ip-10-0-0-7.tpl.test',
    'who.am.i.test',
  ]) {
    for (const type of TYPES) packets.push(buildPacket({ name, type }));
    for (const bits of HEADER_BITS) packets.push(buildPacket({ name, bits }));
    for (const recordClass of [3, 4, 254, 255, 0]) packets.push(buildPacket({ name, class: recordClass }));
  }
  packets.push(buildPacket({ name: 'version.bind', type: 16, class: 3 }));
  packets.push(...manySections(), ...hostilePackets());
  return packets;
}

/** The same question, as packet threads meet it most: for cached names, plain or with EDNS. */
export function cachedQuestions(): readonly Uint8Array[] {
  return CACHED_NAMES.flatMap((name) =>
    [1, 28].flatMap((type) => [
      buildPacket({ name, type }),
      buildPacket({ name, type, additionals: [optRecord()] }),
      buildPacket({ name, type, additionals: [optRecord({ size: 4096, ttl: 0x8000 })] }),
    ]),
  );
}

/** What is answered without a chain comes up more often. */
export function corpusOfServers(): readonly Uint8Array[] {
  return [...corpus(), ...Array.from({ length: 8 }, cachedQuestions).flat()];
}

function manySections(): readonly Uint8Array[] {
  const soa = { owner: POINTER_TO_NAME, type: 6, data: SOA };
  const address = { owner: POINTER_TO_NAME, type: 1, ttl: 300, data: [192, 0, 2, 1] };
  const mx = { owner: POINTER_TO_NAME, type: 15, data: [0, 10, ...POINTER_TO_NAME] };
  const tsig = {
    owner: 'key',
    type: 250,
    class: 255,
    data: [...nameBytes('hmac-sha256'), ...Array(16).fill(0)],
  };
  const name = 'up.test';
  return [
    buildPacket({ name, type: 6, bits: 0x2400, answers: [soa] }),
    buildPacket({ name, type: 251, authorities: [soa] }),
    buildPacket({ name, additionals: [optRecord(), tsig] }),
    buildPacket({ name, additionals: [optRecord(), optRecord()] }),
    buildPacket({ name, answers: [address], authorities: [soa], additionals: [address, optRecord()] }),
    buildPacket({ name, answers: [address, mx, address], authorities: [soa, mx] }),
    buildPacket({ name, type: 6, bits: 0x2900, authorities: [soa, address] }),
    buildPacket({ name, bits: 0x8180, answers: [address, mx], additionals: [optRecord()] }),
  ];
}

function hostilePackets(): readonly Uint8Array[] {
  const chain = Array.from({ length: 200 }, (_, i) => [
    0xc0 | ((12 + 2 * i) >> 8),
    (12 + 2 * i) & 0xff,
  ]).flat();
  return [
    buildPacket({ name: [0xc0, 12] }),
    buildPacket({ name: [0xc0, 0] }),
    buildPacket({ name: [1, 0x61, 0xc0, 12] }),
    buildPacket({ name: [0xff, 0xff] }),
    buildPacket({ name: [0x40, 0] }),
    buildPacket({ name: [0x80, 1, 2] }),
    buildPacket({ name: chain }),
    buildPacket({ name: 'a.up.test', additionals: [{ owner: chain, type: 1, data: [1, 2, 3, 4] }] }),
    buildPacket({ name: 'a.up.test', additionals: [{ owner: '', type: 41, data: [0, 10, 255, 255, 1] }] }),
    Uint8Array.from([...buildPacket({ name: 'a.up.test' }), ...Array(3000).fill(0x41)]),
  ];
}
