/** What can keep a configuration from being put into force, beyond what the Corefile parser and the plugins refuse. */
export const SERVE_ERRORS = {
  SERVE_COREFILE_UNREADABLE: {
    cause: 'The file that `-conf` names cannot be read.',
    cure: 'Check the path and the permissions, and whether the ConfigMap is mounted.',
  },
  SERVE_DIRECTIVE_UNBUILT: {
    cause: 'A block uses a plugin that CoreDNS has and this server has not.',
    cure: 'Remove the directive if the server can do without it; `-plugins` lists what there is.',
  },
  SERVE_SCHEME_UNBUILT: {
    cause: 'A key asks for a transport other than DNS over UDP and TCP, or over TLS.',
    cure: 'Use `dns://` or no scheme, or `tls://`.',
  },
  SERVE_ZONE_TWICE: {
    cause:
      'Two blocks serve the same zone on the same address and port, or on an address and on the wildcard.',
    cure: 'Join the blocks, or give them different ports or, with `bind`, different addresses.',
  },
  SERVE_PORT_SHARED: {
    cause: 'Keys ask for plain DNS and for DNS over TLS on one address and port.',
    cure: 'Give one of them another port; without one in the key, DNS over TLS takes 853.',
  },
  SERVE_NOWHERE: {
    cause: 'The `bind` of a block leaves no address to listen on.',
    cure: 'Name an address, or an interface that has one.',
  },
  SERVE_HTTP_LISTEN: {
    cause: 'A page for probes or metrics cannot be opened on its address.',
    cure: 'Choose another port for the plugin named, or stop the program that has it.',
  },
  SERVE_HTTP_ADDRESS: {
    cause: 'The address of a page for probes or metrics is not `host:port` or `:port`.',
    cure: 'Write for example `:9153` or `127.0.0.1:9153`.',
  },
  SERVE_FLAGS: {
    cause: 'A flag is unknown, lacks its value, or has one that does not fit.',
    cure: 'Run the command with `-help`.',
  },
  SERVE_ARGUMENTS: {
    cause: 'There are words behind the flags, and the command takes none.',
    cure: 'Remove them; a value that starts with a dash is given as `-flag=value`.',
  },
  SERVE_PIDFILE: {
    cause: 'The file that `-pidfile` names cannot be written.',
    cure: 'Choose a path in a directory that exists and may be written.',
  },
} as const;
