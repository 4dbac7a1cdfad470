/** A cluster DNS that forwards to a loopback address, which in its pod is itself: plugin loop ends it, again and again. */
import { killPod } from '../../../../src/lab/exec.ts';
import type { Fault } from '../rig/fault.ts';
import { withCorefile } from './with-corefile.ts';

const POD = 'coredns-674b8bbfcf-8sbkw';

export const d09: Fault = {
  id: 'D09',
  name: 'a server whose upstream is itself, and ends for it',
  args: [],
  async build(lab, keep) {
    keep(() => lab.untilPod(POD, ({ ready }) => ready).then(() => undefined));
    keep(
      await withCorefile(lab, 'coredns', (text) =>
        text.replace('forward . /etc/resolv.conf', 'forward . 127.0.0.1'),
      ),
    );
    killPod(POD);
    await lab.untilPod(POD, ({ restarts }) => restarts > 1);
  },
  finds: {
    severity: 'broken',
    says: [/Corefile line \d+, block \.:53: forward \. 127\.0\.0\.1/, 'plugin loop ends the server'],
  },
};
