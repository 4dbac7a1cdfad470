/** The programs' counters: one value per CPU and reason, summed when somebody asks. */
import { readFileSync } from 'node:fs';
import { type BpfMap, countPossibleCpus, u32Bytes } from '../../sys/bpf-map.ts';
import type { DatapathCounters } from '../datapath.ts';
import { REASON_NUMBERS } from '../packet-record.ts';
import {
  COUNTER_ANSWER_MISSED,
  COUNTER_ANSWER_TORN,
  COUNTER_ANSWERED,
  COUNTER_EVENTS_LOST,
  COUNTER_FELL_BACK,
  COUNTER_REDIRECTED,
  COUNTER_RESTORED,
  COUNTER_SPOOFED,
} from './abi.gen.ts';

export class KernelCounters {
  readonly #map: BpfMap;
  readonly #cpus = countPossibleCpus(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));

  /** The map stays the caller's. */
  constructor(map: BpfMap) {
    this.#map = map;
  }

  read(): DatapathCounters {
    return {
      redirected: this.#sum(COUNTER_REDIRECTED),
      restored: this.#sum(COUNTER_RESTORED),
      spoofed: this.#sum(COUNTER_SPOOFED),
      eventsLost: this.eventsLost(),
      fellBack: this.#fellBack(),
      answered: this.#sum(COUNTER_ANSWERED),
      answersMissed: this.#sum(COUNTER_ANSWER_MISSED),
      answersTorn: this.#sum(COUNTER_ANSWER_TORN),
    };
  }

  eventsLost(): bigint {
    return this.#sum(COUNTER_EVENTS_LOST);
  }

  #fellBack(): DatapathCounters['fellBack'] {
    const counts = Object.entries(REASON_NUMBERS).map(([word, reason]) => [
      word,
      this.#sum(COUNTER_FELL_BACK + reason),
    ]);
    return Object.fromEntries(counts) as DatapathCounters['fellBack'];
  }

  #sum(index: number): bigint {
    const values = this.#map.lookupPerCpu(u32Bytes(index), this.#cpus);
    if (values === undefined) return 0n;
    let sum = 0n;
    for (let at = 0; at < values.byteLength; at += 8) sum += values.getBigUint64(at, true);
    return sum;
  }
}
