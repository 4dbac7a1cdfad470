/** Answers with the TC bit, and whether their clients then asked by TCP (RFC 7766 section 5), which musl before 1.2.4 never does. */
import type { ObjectKey } from '../../../cluster/rows.ts';
import type { FlowSummary } from '../agent-facts.ts';
import type { AnsweredEvent, AskedEvent } from './dns-event.ts';
import { Recent } from './recent.ts';

/** A resolver asks by TCP at once. */
const TCP_RETRY_MS = 2_000;
const PLACES = 1024;
const MOST_PODS = 5;

interface Truncated {
  readonly pod: ObjectKey;
  readonly atMs: number;
}

export class TruncatedAnswers {
  #count = 0;
  #withoutEdns = 0;
  #dropped = 0;
  readonly #droppingPods = new Set<ObjectKey>();
  readonly #waiting = new Recent<Truncated>(PLACES);

  answered({ client, name, qtype, pod, atMs, withoutEdns }: AnsweredEvent): void {
    this.#count++;
    if (withoutEdns) this.#withoutEdns++;
    const key = `${client} ${name} ${qtype}`;
    const before = this.#waiting.get(key);
    // It asked the same by UDP again instead.
    if (before !== undefined) this.#drop(before);
    this.#waiting.set(key, { pod, atMs });
  }

  askedByTcp({ client, name, qtype }: AskedEvent): void {
    this.#waiting.delete(`${client} ${name} ${qtype}`);
  }

  summary(
    untilMs: number,
  ): Pick<FlowSummary, 'truncated' | 'truncatedWithoutEdns' | 'truncatedAndDropped' | 'droppingPods'> {
    const late = [...this.#waiting.values()].filter(({ atMs }) => untilMs - atMs > TCP_RETRY_MS);
    const pods = new Set([...this.#droppingPods, ...late.map(({ pod }) => pod)]);
    return {
      truncated: this.#count,
      truncatedWithoutEdns: this.#withoutEdns,
      truncatedAndDropped: this.#dropped + late.length,
      droppingPods: [...pods].slice(0, MOST_PODS),
    };
  }

  #drop({ pod }: Truncated): void {
    this.#dropped++;
    if (this.#droppingPods.size < MOST_PODS) this.#droppingPods.add(pod);
  }
}
