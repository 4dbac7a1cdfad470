/**
 * Test support: a node with a client, the backend of a redirected frontend, and a fallback that the node translates the
 * frontend to when we leave a packet alone. Who answered is told by the address in the answer. Needs root.
 */
import { join } from 'node:path';
import { systemClock } from '../../telemetry/clock.ts';
import type { Datapath, DatapathSpec, LocalPod } from '../datapath.ts';
import { type DatapathOptions, openDatapath } from '../open-datapath.ts';
import { redirectedFrontend, toIp } from './conformance.ts';
import { silentLog, TestNetwork, type TestPod } from './test-network.ts';

export const VIP = '10.96.0.10';
/** What the backend answers, and what the fallback does. */
export const LOCAL = '192.0.2.20';
export const FALLBACK = '192.0.2.30';

export class RedirectRig {
  readonly network: TestNetwork;
  readonly client: TestPod;
  readonly backend: TestPod;
  readonly fallback: TestPod;
  readonly pinDirectory: string;

  private constructor(label: string) {
    this.network = new TestNetwork(label);
    this.client = this.network.addPod('client', '172.20.0.10');
    this.backend = this.network.addPod('backend', '172.20.0.20');
    this.fallback = this.network.addPod('fallback', '172.20.0.30');
    this.network.translate(VIP, this.fallback.address);
    this.pinDirectory = join(this.network.mountBpffs(), 'node');
  }

  /** Moves this thread into the node's namespace; `close` brings it back. */
  static async open(label: string): Promise<RedirectRig> {
    const rig = new RedirectRig(label);
    await rig.network.serve(rig.backend.netns, rig.backend.address, LOCAL);
    await rig.network.serve(rig.fallback.netns, rig.fallback.address, FALLBACK);
    rig.network.enterNode();
    return rig;
  }

  openDatapath(over: Partial<DatapathOptions> = {}): Datapath {
    return openDatapath({ pinDirectory: this.pinDirectory, log: silentLog, clock: systemClock, ...over });
  }

  /** `over`: what is said of the client. */
  spec(over: Partial<LocalPod> = {}): DatapathSpec {
    const pods = [this.client, this.backend, this.fallback].map((pod) => ({
      pod: `default/${pod.name}`,
      addresses: [toIp(pod.address)],
      ...(pod === this.client ? over : {}),
    }));
    const frontends = (['UDP', 'TCP'] as const).map((protocol) =>
      redirectedFrontend(VIP, protocol, [this.backend.address]),
    );
    return { frontends, pods, mayPrune: true };
  }

  /** Who answers a new query and a new connection. */
  ask(): readonly string[] {
    return [[], ['+tcp']].map((more) => this.network.dig(this.client, `@${VIP}`, 'google.com', ...more));
  }

  close(): Promise<void> {
    return this.network.close();
  }
}
