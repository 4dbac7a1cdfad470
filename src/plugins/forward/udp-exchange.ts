/**
 * One question to one upstream by UDP, on a socket of its own. A fresh socket means a port the kernel draws at random
 * for each query, and `connect` means the kernel itself drops what comes from any other address (RFC 5452 section 9).
 * Packets with a wrong id are ignored until the time is up: giving up at the first would let anyone end our wait.
 */
import { createSocket, type Socket } from 'node:dgram';
import { decodeHeader, decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { ipFamily, parseIp } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import { type Exchanged, type ExchangeTools, emptyTruncated } from './exchange.ts';
import { dialFailure, type Path, readFailure, readTimeout, writeFailure } from './go-error.ts';
import type { UpstreamAddress } from './upstream-address.ts';

/** Never rejects. The socket is closed before the promise resolves. */
export function exchangeUdp(
  query: Message,
  upstream: UpstreamAddress,
  tools: ExchangeTools,
): Promise<Exchanged> {
  const asked: Message = { ...query, id: tools.randomId() };
  const wire = encodeMessage(asked);
  return new Promise((resolve) => {
    const socket = openSocket(upstream);
    const timer = tools.clock.after(tools.readTimeoutMs, () => {
      settle({ ok: false, error: readTimeout(pathOf(socket, upstream)) });
    });
    let settled = false;
    function settle(outcome: Exchanged): void {
      if (settled) return;
      settled = true;
      timer.cancel();
      socket.close();
      resolve(outcome);
    }
    let connected = false;
    // Without a callback of its own, `connect` reports its failures here as well.
    socket.on('error', (cause) => {
      const failure = connected ? readFailure : dialFailure;
      settle({ ok: false, error: failure(pathOf(socket, upstream), cause) });
    });
    socket.on('message', (bytes) => {
      const reply = believe(bytes, asked);
      if (reply !== undefined) settle({ ok: true, reply });
    });
    socket.on('connect', () => {
      if (settled) return;
      connected = true;
      socket.send(wire, (cause) => {
        if (cause) settle({ ok: false, error: writeFailure(pathOf(socket, upstream), cause) });
      });
    });
    socket.connect(upstream.port, upstream.address);
  });
}

/** Addresses are literal, so that no look-up has to happen; the stock one would cost a turn of the loop. */
function openSocket(upstream: UpstreamAddress): Socket {
  const family = ipFamily(upstream.address);
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (host, _options, done) => done(null, host, family),
  });
}

function believe(bytes: Uint8Array, asked: Message): Message | undefined {
  if (decodeHeader(bytes)?.id !== asked.id) return undefined;
  const decoded = decodeMessage(bytes);
  return decoded.ok ? decoded.value : emptyTruncated(asked);
}

function pathOf(socket: Socket, upstream: UpstreamAddress): Path {
  return { transport: 'udp', local: localAddress(socket), remote: upstream.text };
}

/** `address()` throws on a socket that never got so far as to have one. */
function localAddress(socket: Socket): string | undefined {
  try {
    const { address, port } = socket.address();
    const ip = parseIp(address);
    return ip === undefined ? undefined : formatAddressPort(ip, port);
  } catch {
    return undefined;
  }
}
