/** Codes of this folder, each with its cause and cure; docs/errors.md lists the same. */
export const AGENT_ERRORS = {
  AGENT_NOT_RUNNING: {
    cause: 'No agent answers where one was looked for.',
    cure: 'Start one (zerohop agent --node-name NODE) or the lab (zerohop lab up), or name its socket with --server.',
  },
  AGENT_FORBIDDEN: {
    cause: "The agent's socket is its user's alone, mostly root's, because DNS names are personal data.",
    cure: 'Run the command as root.',
  },
  AGENT_NODE_UNKNOWN: {
    cause: 'None of the agents found serves the node that was asked for.',
    cure: 'Use one of the node names that the message lists.',
  },
  AGENT_ANSWER_INVALID: {
    cause: 'What answers on the socket is not an agent of this version.',
    cure: 'Check the path given by --server or ZEROHOP_SERVER, and that agent and command have the same version.',
  },
  AGENT_REQUEST_REFUSED: {
    cause: 'The agent understood the request and refused it; the message says which part.',
    cure: 'Correct that part of the command.',
  },
  AGENT_SOCKET_TAKEN: {
    cause: 'Another agent already listens on the socket this one was given.',
    cure: 'Stop the other agent, or give this one another path with --socket.',
  },
  AGENT_SOCKET_UNUSABLE: {
    cause:
      'The socket cannot be made: its directory cannot be written, or a file that is no socket has its name.',
    cure: 'Run as root, or give another path with --socket.',
  },
  AGENT_OPTION_INVALID: {
    cause: 'A flag of the agent has a value that cannot be used.',
    cure: 'Correct the flag the message names.',
  },
  AGENT_ANSWERS_UNAVAILABLE: {
    cause:
      'The kernel is to answer cached names (--kernel-answers), and has no room for another cache or lacks what it takes. ' +
      'Queries go to the caches as they do without the flag.',
    cure: 'See what the message says; zerohop status shows which caches have a part of the answer map. Or leave the flag out.',
  },
  AGENT_METRICS_UNUSABLE: {
    cause:
      'The address for metrics cannot be listened on: another program does, or it is no address of this machine.',
    cure: 'Give another with --metrics-address, or leave the flag out.',
  },
} as const;

export type AgentErrorCode = keyof typeof AGENT_ERRORS;
