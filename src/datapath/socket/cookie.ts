/**
 * How a program knows a network namespace: by its cookie. From Linux 5.14 a socket tells it. Before, we let a program of
 * ours tell us: it watches for one connect to an address that nobody else can guess, and notes whose it was.
 */
import type { Ip } from '../../net/ip.ts';
import { ipMappedBytes, parseIp } from '../../net/ip.ts';
import { type BpfMap, u32Bytes } from '../../sys/bpf-map.ts';
import { checkCall } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import { namespaceCookie } from '../../sys/netns/namespaces.ts';
import { encodeSockaddr } from '../../sys/sockaddr.ts';
import { type CookieProbe, decodeCookieProbe, encodeCookieProbe } from './socket-abi.gen.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const QUESTION = u32Bytes(0);

export interface CookieSource {
  readonly probes: BpfMap;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** False: only by the programs, as on kernels before 5.14. */
  readonly askSocket: boolean;
}

/** Of the namespace this thread is in; undefined when our programs do not see this process. */
export function readCookie({ probes, random, askSocket }: CookieSource): bigint | undefined {
  const told = askSocket ? namespaceCookie() : undefined;
  if (told !== undefined) return told;
  const port = 1 + Math.floor(random() * 65535);
  const address = reservedAddress(random);
  const question: CookieProbe = { address: ipMappedBytes(address), port, armed: 1, cookie: 0n };
  probes.update(QUESTION, encodeCookieProbe(question));
  try {
    connectOnce(address, port);
    const answer = probes.lookup(QUESTION);
    const cookie = answer === undefined ? 0n : decodeCookieProbe(answer).cookie;
    return cookie === 0n ? undefined : cookie;
  } finally {
    probes.update(QUESTION, encodeCookieProbe({ ...question, armed: 0 }));
  }
}

/** 240.0.0.0/4, which no network uses (RFC 1112 section 4). */
function reservedAddress(random: () => number): Ip {
  const byte = () => Math.floor(random() * 256);
  const address = parseIp(`${240 + Math.floor(random() * 15)}.${byte()}.${byte()}.${byte()}`);
  if (address === undefined) throw new Error('No address');
  return address;
}

/** Nothing is sent. Mostly it fails, for want of a route; the programs have seen it by then. */
function connectOnce(address: Ip, port: number): void {
  const libc = openLibc();
  const fd = checkCall('open a socket', libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0));
  libc.connect(fd, encodeSockaddr(address, port));
  libc.close(fd);
}
