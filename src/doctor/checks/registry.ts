/** Every check, in the order of their numbers. A new one is a file and a row here. */
import type { Check } from '../check.ts';

export const CHECKS: readonly Check[] = [];
