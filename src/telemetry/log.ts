/**
 * The DNS server's log: CoreDNS's own line format, `[LEVEL] text`, no timestamp, to one stream, a line at a time.
 * Names inside a text must already be in presentation format, which leaves no control character to inject.
 */
export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  /** Prints the line and ends the process with exit code 1. */
  fatal(text: string): never;
}
