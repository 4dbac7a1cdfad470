/** The way in for every process of the program: keeps stripped sources, tells threads how to do the same, and goes on. */
import { setEnvironmentData } from 'node:worker_threads';
import { BOOT_HOOK } from './strip-cache.mjs';

setEnvironmentData('zerohop.boot', BOOT_HOOK);
await import('../main.ts');
