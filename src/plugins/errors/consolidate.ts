/** Counting like errors instead of printing each (dns-server 3.1): one line per pattern and period. */
import type { Clock, Timer } from '../../telemetry/clock.ts';
import { formatDuration } from '../directive.ts';
import type { Pattern } from '../pattern.ts';

export type Level = 'warning' | 'error' | 'info' | 'debug';

export interface Rule {
  /** As the operator wrote it. */
  readonly source: string;
  readonly pattern: Pattern;
  readonly periodMs: number;
  readonly level: Level;
  readonly showFirst: boolean;
}

export interface Consolidation {
  /** Whether a rule's pattern is in `error`: then it was counted, and `line` printed if the rule shows this one. */
  take(error: string, line: string): boolean;
  /** Prints what has been counted and ends all periods. */
  flush(): void;
}

interface Count {
  errors: number;
  timer: Timer | undefined;
}

export function createConsolidation(
  rules: readonly Rule[],
  { clock, print }: { clock: Clock; print: (level: Level, text: string) => void },
): Consolidation {
  const counts = rules.map((rule) => ({ rule, count: { errors: 0, timer: undefined } as Count }));

  function summarize(rule: Rule, count: Count): void {
    const { errors } = count;
    count.timer?.cancel();
    count.timer = undefined;
    count.errors = 0;
    if (errors === 0 || (rule.showFirst && errors === 1)) return;
    const period = formatDuration(rule.periodMs);
    print(rule.level, `${errors} errors like '${rule.source}' occurred in last ${period}`);
  }

  return {
    take(error, line) {
      const entry = counts.find(({ rule }) => rule.pattern.test(error));
      if (entry === undefined) return false;
      const { rule, count } = entry;
      count.errors++;
      count.timer ??= clock.after(rule.periodMs, () => summarize(rule, count));
      if (rule.showFirst && count.errors === 1) print(rule.level, line);
      return true;
    },
    flush() {
      for (const { rule, count } of counts) summarize(rule, count);
    },
  };
}
