/** How the packets for the server are divided: most need no socket, which costs ten times what a packet does. */
export interface ServerShares {
  readonly inProcess: number;
  readonly udp: number;
  readonly tcp: number;
  readonly tls: number;
}

const UDP = 0.2;
const TCP = 0.018;
const TLS = 0.002;

export function shareServerPackets(count: number): ServerShares {
  const [udp = 0, tcp = 0, tls = 0] = [UDP, TCP, TLS].map((share) => Math.floor(share * count));
  return { inProcess: count - udp - tcp - tls, udp, tcp, tls };
}
