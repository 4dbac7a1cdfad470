/** The suites in the order in which they run. */
import type { Suite } from './suite.ts';
import { answers } from './suites/answers.ts';
import { churn } from './suites/churn.ts';
import { derive } from './suites/derive.ts';
import { flows } from './suites/flows.ts';
import { hits } from './suites/hits.ts';
import { memory } from './suites/memory.ts';
import { misses } from './suites/misses.ts';
import { paced } from './suites/paced.ts';
import { redirect } from './suites/redirect.ts';
import { start } from './suites/start.ts';
import { starved } from './suites/starved.ts';
import { workers } from './suites/workers.ts';

export const SUITES: readonly Suite[] = [
  hits,
  paced,
  misses,
  memory,
  start,
  churn,
  starved,
  workers,
  derive,
  redirect,
  answers,
  flows,
];
