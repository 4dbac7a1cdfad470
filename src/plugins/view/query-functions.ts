/** The functions that expressions of `view` have (dns-server 3.19), over a query. */
import { className, typeName } from '../../dns/codes.ts';
import { canonicalName } from '../../dns/name.ts';
import type { Call, FunctionTable, ScalarType, Value } from '../../expression/value.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Query } from '../../server/handler.ts';

/** RFC 1035 sections 4.2.1 and 4.2.2. */
const MIN_UDP_BYTES = 512;
const TCP_BYTES = 65_535;

/** `metadata` gives the value under a label, or an empty text. */
export function queryFunctions(metadata: (query: Query, label: string) => string): FunctionTable<Query> {
  return {
    type: fact('string', ({ question }) => typeName(question.type)),
    name: fact('string', ({ question }) => canonicalName(question.name)),
    class: fact('string', ({ question }) => className(question.class)),
    proto: fact('string', ({ transport }) => transport),
    size: fact('number', ({ wire }) => wire.length),
    client_ip: fact('string', ({ client }) => bracketed(client.address)),
    port: fact('string', ({ client }) => String(client.port)),
    id: fact('number', ({ message }) => message.id),
    opcode: fact('number', ({ message }) => message.opcode),
    do: fact('boolean', ({ message }) => message.edns?.dnssecOk ?? false),
    bufsize: fact('number', bufferSize),
    server_ip: fact('string', ({ local }) => bracketed(local.address)),
    server_port: fact('string', ({ local }) => String(local.port)),
    incidr: {
      parameters: ['string', 'string'],
      returns: 'boolean',
      call: (_query, [address, network]) => isWithin(address, parsePrefix(String(network))),
      prepare: ([, network]) => (network === undefined ? undefined : withinNetwork(String(network))),
    },
    metadata: {
      parameters: ['string'],
      returns: 'string',
      call: (query, [label]) => metadata(query, String(label)),
    },
  };
}

function fact(returns: ScalarType, call: Call<Query>): FunctionTable<Query>[string] {
  return { parameters: [], returns, call };
}

/** What the client can take, as the server sees it. */
function bufferSize({ message, transport }: Query): number {
  if (transport === 'tcp') return TCP_BYTES;
  return Math.max(message.edns?.udpSize ?? 0, MIN_UDP_BYTES);
}

/** IPv6 addresses stand in brackets, as CoreDNS gives them. */
function bracketed(ip: Ip): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

function withinNetwork(text: string): Call<Query> {
  const network = parsePrefix(text);
  if (network === undefined) throw new Error(`invalid CIDR address: ${text}`);
  return (_query, [address]) => isWithin(address, network);
}

/** What is no address is in no network. */
function isWithin(address: Value | undefined, network: ReturnType<typeof parsePrefix>): boolean {
  const ip = parseIp(String(address).replace(/^\[(.*)\]$/, '$1'));
  return ip !== undefined && network !== undefined && prefixContains(network, ip);
}
