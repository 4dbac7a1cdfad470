/** What an operator may ask for, in entries of one cache's part of the answer map. */
import { MAX_ANSWER_ENTRIES, MIN_ANSWER_ENTRIES } from '../../datapath/answers/shelf-layout.ts';

export const LEAST_ANSWERS = MIN_ANSWER_ENTRIES;
/** Some 650 megabytes of kernel memory for each cache. */
export const MOST_ANSWERS = MAX_ANSWER_ENTRIES;
