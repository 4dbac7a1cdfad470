/** Codes of what can keep the datapath out of the kernel; docs/errors.md lists each. */
export const DATAPATH_ERRORS = {
  DATAPATH_KERNEL_TOO_OLD: {
    cause:
      'The kernel lacks a feature the packet programs need; the message names it and the first kernel that has it',
    cure: 'Run on the version that the message names, or newer; Linux 5.10 has all that is needed, 6.6 orders programs best',
  },
  DATAPATH_NOT_PERMITTED: {
    cause: 'The kernel does not let this process load or attach packet programs',
    cure: 'Run as root, or give the process CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN',
  },
  DATAPATH_PROGRAM_REFUSED: {
    cause: "The kernel's verifier refused a program; the cause of the error holds its whole log",
    cure: 'Report it with the kernel version and the log',
  },
  DATAPATH_NO_INTERFACE: {
    cause:
      "No veth of this node leads to a namespace that has the pod's address, and the address is not the node's own",
    cure: 'Check that the pod runs on this node and that its CNI gives pods a veth, routed or on a bridge',
  },
  DATAPATH_HOOK_TAKEN: {
    cause:
      'The interface has an ingress qdisc of another program, which leaves no room for clsact, and the kernel has no TCX',
    cure: 'Run on Linux 6.6 or newer, or take the ingress qdisc away (the bandwidth plugin of CNI puts one there)',
  },
  DATAPATH_IN_USE: {
    cause: 'Another agent works with this directory of pinned maps, or is being cleaned up after',
    cure: 'End the other agent first; on a machine with several nodes give each agent its own --bpf-directory',
  },
  DATAPATH_NOT_PINS: {
    cause:
      'The directory that should be cleaned up is not on a BPF file system, so no agent of ours pinned maps there',
    cure: 'Give the directory the agent was started with (--bpf-directory)',
  },
  DATAPATH_NO_CGROUP2: {
    cause:
      'The root of the cgroup v2 hierarchy, where sockets of host processes are redirected, cannot be reached',
    cure: "Mount the host's /sys/fs/cgroup into the container and give its path with --cgroup-root; or --socket-redirect off",
  },
  DATAPATH_NO_SHELF: {
    cause:
      'The kernel did not give the memory for the answers that it should give in place of a cache; queries go to the cache as before',
    cure: 'Let the agent keep fewer of them (--kernel-answers), or give its container a higher memory limit',
  },
  DATAPATH_FULL: {
    cause: 'More frontends or backends are redirected than the kernel maps have room for',
    cure: 'Redirect fewer services on this node',
  },
} as const;
