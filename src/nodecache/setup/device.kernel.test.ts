/** What `Device` does where it cannot have an interface of its own: in a namespace, by a process that is put there. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestNode } from '../testing/test-node.ts';

let node: TestNode;
beforeEach(() => {
  node = new TestNode();
});
afterEach(() => node.close());

/** Runs `steps` on a device of `ips` on the node; gives what it logged. */
function onDevice(ips: readonly string[], options: string, steps: string): string {
  const script = `
    import { Device } from ${JSON.stringify(new URL('./device.ts', import.meta.url).href)};
    const log = { debug() {}, info: console.log, warning: console.log, error: console.log };
    const nobody = { address: () => false, anyAddress: () => false };
    const device = new Device({
      name: 'nodelocaldns', ips: ${JSON.stringify(ips)}, log: () => log, failed: console.log, ${options}
    });
    ${steps}`;
  return node.run(process.execPath, '--input-type=module', '-e', script);
}

describe('Device', () => {
  it('puts the addresses on the loopback interface where the kernel has no kind of interface for them', () => {
    const ips = ['169.254.20.10', 'fd00::10', '127.0.0.1'];
    const log = onDevice(ips, 'kinds: ["nosuchkind"],', 'device.ensure(); device.ensure();');
    expect(log).toContain('the addresses of nodelocaldns are put on lo');
    expect(node.addresses('lo').toSorted()).toEqual([
      '127.0.0.1/32',
      '127.0.0.1/8',
      '169.254.20.10/32',
      '::1/128',
      'fd00::10/128',
    ]);
    expect(node.addresses()).toEqual([]);

    onDevice(['169.254.20.11'], 'kinds: ["nosuchkind"],', 'device.repair(() => false); device.ensure();');
    expect(node.addresses('lo').toSorted()).toEqual([
      '127.0.0.1/8',
      '169.254.20.11/32',
      '::1/128',
      'fd00::10/128',
    ]);
    onDevice(['169.254.20.11'], 'kinds: ["nosuchkind"],', 'device.ensure(); device.remove(nobody);');
    expect(node.addresses('lo').toSorted()).toEqual(['127.0.0.1/8', '::1/128', 'fd00::10/128']);
  });

  it("leaves an interface of somebody else's and its addresses as they are, and takes its own away", () => {
    node.run('ip', 'link', 'add', 'nodelocaldns', 'type', 'bridge');
    node.run('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'nodelocaldns');
    onDevice(['169.254.20.10'], '', 'device.repair(() => false); device.ensure();');
    expect(node.addresses()).toEqual(['192.0.2.1/24', '169.254.20.10/32']);
    node.run('ip', 'addr', 'del', '169.254.20.10/32', 'dev', 'nodelocaldns');
    onDevice(['169.254.20.10'], '', 'device.ensure(); device.remove(nobody);');
    expect(node.addresses()).toEqual(['192.0.2.1/24']);
  });

  it('keeps what others use', () => {
    onDevice(['169.254.20.10', '169.254.20.11'], '', 'device.ensure();');
    onDevice(['169.254.20.12'], '', 'device.repair((ip) => ip === "169.254.20.11"); device.ensure();');
    expect(node.addresses()).toEqual(['169.254.20.11/32', '169.254.20.12/32']);
    const others = '{ address: (ip) => ip === "169.254.20.11", anyAddress: () => true }';
    onDevice(['169.254.20.11', '169.254.20.12'], '', `device.remove(${others});`);
    expect(node.addresses()).toEqual(['169.254.20.11/32']);
    onDevice(['169.254.20.11'], '', 'device.remove(nobody);');
    expect(node.addresses()).toEqual([]);
  });

  it('says what the kernel refused', () => {
    const log = onDevice(
      ['169.254.20.10'],
      'kinds: ["veth\\0"],',
      'process.setuid?.(65534); device.ensure();',
    );
    expect(log).toContain('Failed to add non-existent interface nodelocaldns: EPERM\ninterface_add\n');
  });
});
