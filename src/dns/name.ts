/**
 * Domain names in presentation format (RFC 1035 section 5.1): fully qualified with the trailing dot, `\.` and `\\`
 * escaped, bytes outside 0x21-0x7e as `\DDD`. Case is kept; comparisons fold ASCII only (RFC 4343).
 */
declare const nameBrand: unique symbol;
export type Name = string & { readonly [nameBrand]: true };

export const ROOT = '.' as Name;
