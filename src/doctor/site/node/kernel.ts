/** What this kernel can, found by trying: distributions carry features over, so the release says little. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { mountedCgroups } from '../../../datapath/socket/cgroup-root.ts';
import { BPF_COMMAND, callBpf, callWithLayout } from '../../../sys/bpf.ts';
import { errnoName } from '../../../sys/errors.ts';
import { hasTcx } from '../../../sys/hook/tcx.ts';
import { namespaceCookie } from '../../../sys/netns/namespaces.ts';
import { TCX_QUERY_ATTR } from '../../../sys/uapi.gen.ts';
import type { KernelFact } from '../node-facts.ts';

/** enum bpf_attach_type of Linux 6.7. */
const BPF_NETKIT_PRIMARY = 54;
const LOOPBACK = 1;

/** Throws SYS_CALL_FAILED when bpf(2) may not be used (CAP_BPF, CAP_NET_ADMIN). */
export function readKernel(): KernelFact {
  return {
    release: release(),
    features: {
      btf: existsSync('/sys/kernel/btf/vmlinux'),
      cgroup2: mountedCgroups(readFileSync('/proc/self/mounts', 'utf8')).length > 0,
      bpfLink: hasBpfLink(),
      tcx: hasTcx(),
      netkit: hasNetkit(),
      socketCookieOfNetns: namespaceCookie() !== undefined,
    },
  };
}

/** A kernel that knows the command looks for the program first. */
function hasBpfLink(): boolean {
  const result = callBpf(BPF_COMMAND.LINK_CREATE, { 'link_create.prog_fd': 0x7fffffff });
  return errnoName(result) === 'EBADF';
}

/** A kernel that knows netkit says that loopback is none; one that does not, that it knows no such hook. */
function hasNetkit(): boolean {
  const { result } = callWithLayout(BPF_COMMAND.PROG_QUERY, TCX_QUERY_ATTR, {
    target_ifindex: LOOPBACK,
    attach_type: BPF_NETKIT_PRIMARY,
  });
  return errnoName(result) === 'ENXIO';
}
