import { expect, test } from 'vitest';
import { openLibc } from './libc.ts';
import { encodeStruct, readField } from './struct.ts';
import { BPF_ATTR, NLMSGHDR } from './uapi.gen.ts';

test('encodeStruct fills a netlink header as RFC 3549 section 2.3.2 draws it', () => {
  const bytes = encodeStruct(NLMSGHDR, { nlmsg_len: 0x1c, nlmsg_type: 26, nlmsg_flags: 1, nlmsg_seq: 7 });
  expect(Buffer.from(bytes).toString('hex')).toBe('1c0000001a0001000700000000000000');
  expect(readField(NLMSGHDR, 'nlmsg_type', new DataView(bytes.buffer))).toBe(26);
});

test('encodeStruct puts short bytes into the field and the address of others', () => {
  const buffer = new Uint8Array(32);
  const attr = encodeStruct(BPF_ATTR, { map_name: new TextEncoder().encode('zh'), map_extra: buffer });
  const view = new DataView(attr.buffer);
  expect(Buffer.from(attr).toString('latin1', 28, 31)).toBe('zh\0');
  expect(view.getBigUint64(64, true)).toBe(openLibc().address(buffer));
});
