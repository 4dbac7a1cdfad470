/** What `edns0` rules put into options: text, bytes, or facts about the query (dns-server 3.15). */
import type { Token } from '../../corefile/ast.ts';
import { writerOf, writeU16 } from '../../dns/writer.ts';
import { type Ip, ipBytes, ipFamily } from '../../net/ip.ts';
import type { Query } from '../../server/handler.ts';
import { quote } from '../directive.ts';
import { wrongRule } from './rule-arguments.ts';

export type OptionData = (query: Query) => Uint8Array;

/** Numbers as two bytes, addresses as four or sixteen, everything else as text. */
const VARIABLES: Readonly<Record<string, OptionData>> = {
  qname: ({ question }) => textBytes(question.name),
  qtype: ({ question }) => u16Bytes(question.type),
  client_ip: ({ client }) => ipBytes(client.address),
  client_port: ({ client }) => u16Bytes(client.port),
  protocol: ({ transport }) => textBytes(transport),
  server_ip: ({ local }) => ipBytes(local.address),
  server_port: ({ local }) => u16Bytes(local.port),
};

/** Whether `optionData` of it is another one for another client: what others know of a query may be about who asked. */
export function tellsOfClient({ text }: Token): boolean {
  return /^\{(?:client_ip|client_port|[^/]+\/.+)\}$/.test(text);
}

/** `{variable}`, `{plugin/label}`, `0x61626364` or plain text. */
export function optionData(token: Token): OptionData {
  const { text } = token;
  if (text.startsWith('{') && text.endsWith('}')) return variable(token, text.slice(1, -1));
  if (!text.toLowerCase().startsWith('0x')) return always(textBytes(text));
  const digits = text.slice(2);
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw wrongRule(token, `invalid hexadecimal data ${quote(text)}`);
  return always(Uint8Array.from(Buffer.from(digits, 'hex')));
}

/** The client's network: family, length, scope 0 and as many bytes as the length needs (RFC 7871 section 6). */
export function subnetData(bits: { v4: number; v6: number }): OptionData {
  return ({ client }) => {
    const v4 = ipFamily(client.address) === 4;
    const length = v4 ? bits.v4 : bits.v6;
    return Uint8Array.of(0, v4 ? 1 : 2, length, 0, ...network(client.address, length));
  };
}

function network(ip: Ip, length: number): Uint8Array {
  const bytes = ipBytes(ip).slice(0, Math.ceil(length / 8));
  const spare = bytes.length * 8 - length;
  return bytes.map((byte, i) => (i === bytes.length - 1 ? (byte >> spare) << spare : byte));
}

function variable(token: Token, name: string): OptionData {
  const known = Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined;
  if (known !== undefined) return known;
  if (!/^[^/]+\/./.test(name)) {
    throw wrongRule(
      token,
      `unsupported variable name ${quote(token.text)}`,
      `The variables are: ${Object.keys(VARIABLES).join(', ')}, and metadata labels`,
    );
  }
  return ({ metadata }) => textBytes(metadata.get(name) ?? '');
}

function always(bytes: Uint8Array): OptionData {
  return () => bytes;
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function u16Bytes(value: number): Uint8Array {
  const writer = writerOf(2);
  writeU16(writer, value);
  return writer.bytes;
}
