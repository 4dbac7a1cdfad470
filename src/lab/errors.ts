/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const LAB_ERRORS = {
  LAB_UNSUPPORTED: {
    cause: 'The machine lacks something the lab cannot do without: Linux, root, a kernel feature, a tool.',
    cure: 'The message names it. npm start installs the tools; the rest needs another machine or another kernel.',
  },
  LAB_RUNNING: {
    cause: 'Another process runs the lab; there is one lab per machine.',
    cure: 'Use the running one, or end it: npx zerohop lab down.',
  },
  LAB_NO_CGROUP2: {
    cause: 'cgroup v2 is not mounted, so the lab cannot keep track of its processes.',
    cure: 'Mount it: mount -t cgroup2 none /sys/fs/cgroup/unified.',
  },
  LAB_PROCESS_STUCK: {
    cause: 'A process of the lab does not die although it was killed; the kernel holds it.',
    cure: 'Wait, then run npx zerohop lab down again.',
  },
  LAB_COMMAND: {
    cause: 'A tool of the machine (ip, nft, mount, openssl) refused what the lab asked of it.',
    cure: "The tool's own words follow in the message; npx zerohop lab down clears what was begun.",
  },
  LAB_NOT_READY: {
    cause: 'A part of the lab did not become ready in time.',
    cure: 'The message ends with its last words. A busy machine may need a second try.',
  },
  LAB_IMAGE: {
    cause: 'A pod names an image; the lab has no registry and runs only this program and a waiting pod.',
    cure: 'Use one of the images the message lists.',
  },
  LAB_POD: {
    cause: 'No pod of that name is running in the lab.',
    cure: 'List them with kubectl get pods -A; the lab says with which --server when it is up.',
  },
  LAB_FULL: {
    cause: 'Every address of a lab node is taken by a pod.',
    cure: 'Delete pods of that node, or put the new one on the other node.',
  },
  LAB_LOAD: { cause: 'The load was given a name that is not a domain name.', cure: 'Give another name.' },
  LAB_TRIAL_UNKNOWN: {
    cause: 'There is no trial of that name.',
    cure: 'npx zerohop lab trials --list names them all.',
  },
  LAB_STOPPED: {
    cause: 'Somebody stopped the lab while it came up.',
    cure: 'Nothing: it cleans up after itself.',
  },
} as const;
