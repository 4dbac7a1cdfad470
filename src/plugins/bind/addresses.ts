/** Addresses and interface names to addresses (dns-server 3.11). The interfaces of the machine are given as a table. */
import { type Ip, parseIp } from '../../net/ip.ts';

/** As `os.networkInterfaces()` gives them. */
export type InterfaceTable = Readonly<
  Record<string, readonly { readonly address: string; readonly scopeid?: number }[] | undefined>
>;

/**
 * The addresses a word stands for, or nothing when it is neither an address nor an interface. Link-local IPv6 addresses
 * of an interface are left out: they mean nothing without their interface.
 */
export function addressesOf(word: string, interfaces: InterfaceTable): readonly Ip[] | undefined {
  const ip = parseIp(word);
  if (ip !== undefined) return [ip];
  const found = Object.hasOwn(interfaces, word) ? interfaces[word] : undefined;
  return found
    ?.filter((entry) => !isLinkLocal(entry.address))
    .flatMap((entry) => parseIp(entry.address) ?? []);
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
