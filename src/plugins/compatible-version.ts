/** The CoreDNS release whose behaviour this server follows: for `chaos`, the banner and the metrics of the process. */
export const COMPATIBLE_VERSION = '1.14.7';
