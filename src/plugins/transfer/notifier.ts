/**
 * Tells secondaries that a zone has changed (RFC 1996), each by itself and a bounded number of times until it answers.
 * A change while one is still being told starts its attempts anew; there is never more than one socket for each zone
 * and secondary.
 */
import { createSocket, type Socket } from 'node:dgram';
import { OPCODE, rcodeName, TYPE } from '../../dns/codes.ts';
import { decodeHeader } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { ipFamily } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { SocketAddress } from '../../server/handler.ts';
import type { Timer } from '../../telemetry/clock.ts';
import type { Host } from '../contract.ts';

/** RFC 1996 section 3.6 leaves both open within reason; a secondary that is away asks by itself when it is back. */
export const ATTEMPTS = 5;
const FIRST_WAIT_MS = 2000;
const QUIET_MS = 1000;

/** What is under way to one secondary about one zone. */
interface Course {
  timer: Timer | undefined;
  socket: Socket | undefined;
  attempt: number;
}

export class Notifier {
  readonly #host: Pick<Host, 'clock' | 'log' | 'random'>;
  readonly #courses = new Map<string, Course>();
  #closed = false;

  constructor(host: Pick<Host, 'clock' | 'log' | 'random'>) {
    this.#host = host;
  }

  /** Changes of one moment are told once. */
  notify(zone: Name, targets: readonly SocketAddress[]): void {
    for (const target of targets) {
      const key = `${zone} ${formatAddressPort(target.address, target.port)}`;
      const known = this.#courses.get(key);
      if (this.#closed || (known !== undefined && known.attempt === 0)) continue;
      if (known !== undefined) stop(known);
      const course: Course = { timer: undefined, socket: undefined, attempt: 0 };
      this.#courses.set(key, course);
      course.timer = this.#host.clock.after(QUIET_MS, () => this.#send(key, course, { zone, target }));
    }
  }

  close(): void {
    this.#closed = true;
    for (const course of this.#courses.values()) stop(course);
    this.#courses.clear();
  }

  #send(key: string, course: Course, to: { zone: Name; target: SocketAddress }): void {
    const { clock, random } = this.#host;
    const { zone, target } = to;
    stop(course);
    if (course.attempt === ATTEMPTS) {
      this.#end(key, course, `was not accepted by ${quoted(target)}: no answer`);
      return;
    }
    course.attempt++;
    const id = Math.floor(random() * 0x1_0000);
    const socket = createSocket(ipFamily(target.address) === 6 ? 'udp6' : 'udp4');
    course.socket = socket;
    socket.unref();
    // Refused or unreachable: the next attempt is the answer to that.
    socket.on('error', () => undefined);
    socket.on('message', (bytes) => {
      const header = decodeHeader(bytes);
      if (header === undefined || header.id !== id || !header.flags.response) return;
      stop(course);
      const rcode = rcodeName(header.rcode);
      this.#end(
        key,
        course,
        rcode === 'NOERROR' ? '' : `was not accepted by ${quoted(target)}: rcode was ${rcode}`,
      );
    });
    socket.connect(target.port, target.address, () => socket.send(notifyOf(zone, id), () => undefined));
    course.timer = clock.after(FIRST_WAIT_MS * 2 ** (course.attempt - 1), () => this.#send(key, course, to));
  }

  #end(key: string, course: Course, trouble: string): void {
    if (this.#courses.get(key) === course) this.#courses.delete(key);
    const zone = key.slice(0, key.indexOf(' '));
    if (trouble === '') this.#host.log.debug(`Sent notify for zone "${zone}"`);
    else this.#host.log.warning(`Failed sending notifies: notify for zone "${zone}" ${trouble}`);
  }
}

function notifyOf(zone: Name, id: number): Uint8Array {
  const query = plainQuery({ name: zone, type: TYPE.SOA }, { id, recursionDesired: false });
  return encodeMessage({
    ...query,
    opcode: OPCODE.NOTIFY,
    flags: { ...query.flags, authoritative: true },
  });
}

function quoted({ address, port }: SocketAddress): string {
  return `"${formatAddressPort(address, port)}"`;
}

/** A socket that is closed twice throws: it is let go of first. */
function stop(course: Course): void {
  course.timer?.cancel();
  course.timer = undefined;
  const { socket } = course;
  course.socket = undefined;
  socket?.close();
}
