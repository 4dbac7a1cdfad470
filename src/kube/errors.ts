/** Codes of failures between us and the Kubernetes API; docs/errors.md lists the same ones. */
export const KUBE_ERRORS = {
  KUBE_CONFIG_UNREADABLE: {
    cause: 'A kubeconfig, token, certificate or key file cannot be read',
    cure: 'Check the path and the permissions of the file named in the message',
  },
  KUBE_CONFIG_INVALID: {
    cause: 'A kubeconfig or an endpoint has a missing, malformed or contradictory field',
    cure: 'Correct the field named in the message',
  },
  KUBE_CONFIG_UNSUPPORTED: {
    cause: 'A kubeconfig asks for a way of authenticating that needs another program, or for a password',
    cure: 'Use a token, a token file or a client certificate for this user',
  },
  KUBE_NOT_IN_CLUSTER: {
    cause:
      'No endpoint and no kubeconfig was given, and the process does not run in a pod with a service account',
    cure: 'Give an endpoint or a kubeconfig, or mount the service account token',
  },
  KUBE_UNREACHABLE: {
    cause: 'The connection to the API server failed, broke or timed out',
    cure: 'Check the address, the network and the certificates; watches retry by themselves',
  },
  KUBE_NOT_FOUND: {
    cause: 'The API server does not know the object or the kind (404)',
    cure: 'Create the object, or install the custom resource definition of the kind',
  },
  KUBE_FORBIDDEN: {
    cause: 'The API server refuses these credentials or lacks a role for them (401, 403)',
    cure: 'Grant the service account the verbs named in the message',
  },
  KUBE_CONFLICT: {
    cause: 'The object exists already or was changed by somebody else meanwhile (409)',
    cure: 'Read the object again and repeat the change',
  },
  KUBE_GONE: {
    cause: 'The resource version or the continue token is older than what the API server remembers (410)',
    cure: 'List again; watches do so by themselves',
  },
  KUBE_INVALID: {
    cause: 'The API server finds the object invalid (422)',
    cure: 'Correct the fields named in the message',
  },
  KUBE_REFUSED: {
    cause: 'The API server answered with a status that has no code of its own',
    cure: 'Read the status and the message; a 429 or 5xx usually passes',
  },
  KUBE_BAD_ANSWER: {
    cause: 'The answer is not the JSON that the Kubernetes API promises',
    cure: 'Check that the address is an API server and not a proxy or a login page',
  },
  KUBE_ANSWER_TOO_LARGE: {
    cause: 'An answer or a watch line is larger than what we are willing to hold',
    cure: 'Narrow the watch with a label selector, or look for the object of that size',
  },
  KUBE_WATCH_CLOSED: {
    cause: 'Somebody waited for a first list while the watch was being closed',
    cure: 'None needed: the program is stopping or reloading',
  },
} as const;

export type KubeErrorCode = keyof typeof KUBE_ERRORS;
