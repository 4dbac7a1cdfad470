/** What became of the queries, by kind; and of those that the kernel is made for, how many it answered. */

export interface Became {
  readonly query: string;
  readonly stored: string;
  readonly frame: string;
  readonly family: 4 | 6;
}

interface Share {
  answered: number;
  of: number;
}

export class AnswerTally {
  seconds = 0;
  queries = 0;
  total = 0;
  /** In an order other than the stored one. */
  turned = 0;
  /** By kind of query, of stored answer, and of frame. */
  readonly kinds = new Map<string, Share>();
  /** The same, and by zone and family, of those that had to be answered. */
  readonly dues = new Map<string, Share>();

  answered(became: Became & { readonly isTurned: boolean }): void {
    this.total++;
    if (became.isTurned) this.turned++;
    this.#note(became, true);
  }

  passed(became: Became): void {
    this.#note(became, false);
  }

  due(labels: readonly string[], wasAnswered: boolean): void {
    for (const label of labels) note(this.dues, label, wasAnswered);
  }

  /** The least share of any kind, and how often that kind was asked at the least. */
  get least(): { readonly share: number; readonly of: number } {
    const all = [...this.dues.values()];
    return {
      share: Math.min(...all.map(({ answered, of }) => answered / of)),
      of: Math.min(...all.map(({ of }) => of)),
    };
  }

  format(): string {
    const head = `answers from the kernel\n  ${this.queries} queries in ${this.seconds.toFixed(1)} s: ${this.total} answered, ${this.turned} in another order`;
    const rows = (title: string, shares: ReadonlyMap<string, Share>) => [
      `  ${title}`,
      ...[...shares].map(([kind, { answered, of }]) => `    ${kind.padEnd(32)}${answered} of ${of}`),
    ];
    return [head, ...rows('answered', this.kinds), ...rows("of those that are the kernel's", this.dues)].join(
      '\n',
    );
  }

  #note({ query, stored, frame, family }: Became, wasAnswered: boolean): void {
    this.queries++;
    for (const label of [`query: ${query}`, `stored: ${stored}`, `frame: ${frame}, IPv${family}`])
      note(this.kinds, label, wasAnswered);
  }
}

function note(shares: Map<string, Share>, label: string, wasAnswered: boolean): void {
  const share = shares.get(label) ?? { answered: 0, of: 0 };
  share.of++;
  if (wasAnswered) share.answered++;
  shares.set(label, share);
}
