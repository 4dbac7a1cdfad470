/** Codes of the wire codec. They are values in a `Result`: any stranger's packet can cause them. */
export const DNS_ERRORS = {
  DNS_CUT: {
    cause: 'The message ends in the middle of a field that its counts or lengths announce.',
    cure: 'None on this side: the sender, or a device in between, cut or damaged the packet.',
  },
  DNS_LABEL: {
    cause: 'A name has a label type that RFC 1035 does not define (the bits 01 or 10).',
    cure: 'None on this side: the sender is not speaking DNS, or uses a withdrawn extension.',
  },
  DNS_NAME_LENGTH: {
    cause: 'A name is longer than the 255 bytes of RFC 1035 section 2.3.4.',
    cure: 'None on this side: the sender must use a shorter name.',
  },
  DNS_POINTER: {
    cause:
      'A compression pointer does not point backwards, or a name follows more pointers than it can have labels.',
    cure: 'None on this side: the packet is damaged or was made to harm.',
  },
  DNS_RDATA: {
    cause: "A record's data does not have the shape its type demands.",
    cure: 'None on this side: the sender must repair the record.',
  },
  DNS_OPT: {
    cause:
      'The message has two OPT records, or one outside of its additional section or not owned by the root (RFC 6891 section 6.1.1).',
    cure: 'None on this side: the sender must send one OPT record, in its place.',
  },
} as const;

export type DnsErrorCode = keyof typeof DNS_ERRORS;
