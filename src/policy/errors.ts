/**
 * The codes of refused policies. They stand in `PolicyState.code`, because a policy object is written by somebody who
 * never sees our logs: a refusal is a row to look at, not an exception.
 */
export const POLICY_ERRORS = {
  POLICY_INCOMPLETE: {
    cause:
      'A CiliumLocalRedirectPolicy lacks its name, its namespace, its backend selector, or has not exactly one of addressMatcher and serviceMatcher.',
    cure: 'Write the missing part; the reason in `zerohop lrp list` names it.',
  },
  POLICY_BAD_ADDRESS: {
    cause: 'The ip of an addressMatcher is not an IPv4 or IPv6 address.',
    cure: 'Write one plain address, without a prefix length, zone or surrounding space.',
  },
  POLICY_ADDRESS_NOT_ALLOWED: {
    cause: "The ip of an addressMatcher lies outside the agent's list of allowed prefixes.",
    cure: "Add a prefix that holds the address to the agent's allow-list, or match a service instead.",
  },
  POLICY_ADDRESS_TAKEN: {
    cause:
      'The ip of an addressMatcher is a cluster, external or load balancer address of a Service, or a node address with a port that is the node port of one.',
    cure: 'Match that Service with a serviceMatcher in a policy of its namespace.',
  },
  POLICY_BAD_SERVICE: {
    cause: "A serviceMatcher has no serviceName, or its namespace is not the policy's own.",
    cure: 'Create the policy in the namespace of the Service it redirects.',
  },
  POLICY_BAD_PORT: {
    cause:
      'A port is not a decimal number from 1 to 65535 without leading zeros, or its protocol is not TCP or UDP.',
    cure: 'Correct the port or protocol that the reason names.',
  },
  POLICY_TOO_MANY_PORTS: {
    cause: 'A list of ports is so long that one policy would fill the table that the kernel has for all.',
    cure: 'Leave out toPorts of a serviceMatcher for all ports of the service, or make several policies.',
  },
  POLICY_BAD_PORT_NAME: {
    cause:
      'A port of a list with several ports has no name, or its name is not 1 to 15 letters, digits and single inner hyphens with at least one letter.',
    cure: 'Name every frontend and backend port as the Service and the pods name theirs.',
  },
  POLICY_PROTOCOL_MISMATCH: {
    cause: 'The one frontend port and the first backend port have different protocols.',
    cure: 'Give both the same protocol, or list one backend port per protocol and no frontend port.',
  },
  POLICY_NO_BACKEND_PORTS: {
    cause: 'The toPorts list of redirectBackend is empty.',
    cure: 'List at least one port on which the backend pods listen.',
  },
  POLICY_NAMESPACE_NOT_ALLOWED: {
    cause:
      'The agent was told which namespaces may hold policies (--policy-namespaces), and this is not one of them.',
    cure: 'Create the policy in one of the allowed namespaces, or have the administrator add this one.',
  },
  POLICY_BAD_BACKEND_ADDRESS: {
    cause:
      'The annotation zerohop.io/backend-address is neither one IP address nor one IPv4 and one IPv6 address with a comma between them.',
    cure: 'Write the address on which the host-network backends listen, or remove the annotation.',
  },
  POLICY_BACKEND_ADDRESS_NOT_ALLOWED: {
    cause:
      "The annotation zerohop.io/backend-address names an address that is neither link-local nor one of this node's.",
    cure: 'Write an address of 169.254.0.0/16 or fe80::/10 on which the backends listen, or remove the annotation.',
  },
  POLICY_BAD_SELECTOR: {
    cause:
      'A matchExpressions entry of localEndpointSelector has an unknown operator, or values that do not fit its operator.',
    cure: 'Use In or NotIn with values, Exists or DoesNotExist without.',
  },
} as const;

export type PolicyErrorCode = keyof typeof POLICY_ERRORS;
