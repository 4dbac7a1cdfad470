/** The generated modules against what the C headers say, and what the compiler is known to do with C structs. */
import { expect, test } from 'vitest';
import {
  decodeFlowKey,
  encodeFlowKey,
  encodeFrontendSlots,
  FLOW_KEY_SIZE,
  FRONTEND_KEY_SIZE,
  MAX_SLOTS,
  PACKET_EVENT_SIZE,
} from '../../src/datapath/kernel/abi.gen.ts';
import { BPF_ATTR, RTATTR, RTMSG } from '../../src/sys/uapi.gen.ts';

test('struct sizes follow from their fields', () => {
  expect([FRONTEND_KEY_SIZE, FLOW_KEY_SIZE]).toEqual([16 + 2 + 1 + 1, 16 + 16 + 2 + 2 + 1 + 1 + 2]);
  // Eight bytes of time first, so the whole is padded to a multiple of eight.
  expect(PACKET_EVENT_SIZE % 8).toBe(0);
});

test('a struct is decoded to what was encoded, ports in network order', () => {
  const key = {
    source: new Uint8Array(16).fill(1),
    destination: new Uint8Array(16).fill(2),
    sourcePort: 53,
    destinationPort: 0x1234,
    protocol: 17,
    direction: 1,
    messageId: 0x0102,
  };
  const bytes = encodeFlowKey(key);
  expect([...bytes.subarray(32)]).toEqual([0, 53, 0x12, 0x34, 17, 1, 0x02, 0x01]);
  expect(decodeFlowKey(new DataView(bytes.buffer))).toEqual(key);
});

test('an array shorter than its field is filled with zeros, a longer one cut', () => {
  const bytes = encodeFrontendSlots({ count: 1, backends: [7] });
  expect([bytes.length, bytes[8], bytes[12]]).toEqual([8 + 4 * MAX_SLOTS, 7, 0]);
  expect(encodeFrontendSlots({ count: 1, backends: Array<number>(99).fill(1) }).length).toBe(bytes.length);
});

test('kernel structs are laid out as in the headers of linux/rtnetlink.h and linux/bpf.h', () => {
  expect(RTMSG).toMatchObject({
    size: 12,
    fields: { rtm_family: [0, 1], rtm_type: [7, 1], rtm_flags: [8, 4] },
  });
  expect(RTATTR).toMatchObject({ size: 4, fields: { rta_len: [0, 2], rta_type: [2, 2] } });
  expect(BPF_ATTR.fields).toMatchObject({
    insns: [8, 8],
    license: [16, 8],
    'link_create.attach_type': [8, 4],
  });
});
