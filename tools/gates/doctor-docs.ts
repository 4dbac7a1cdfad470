/** The doctor's page has a section for each check, with its title, the pains it is about and what it cannot do without. */

/** As much of a check as its section repeats. */
export interface DocumentedCheck {
  readonly id: string;
  readonly title: string;
  readonly pains: readonly string[];
  readonly needs: Readonly<Record<string, readonly string[] | undefined>>;
}

/** The two lines that a section begins with. */
export function sectionHead({ id, title, pains, needs }: DocumentedCheck): string {
  const parts = Object.entries(needs).map(([place, names = []]) => `${place} ${names.join(', ')}`);
  return `### ${id} ${title}\n\n${pains.join(', ')} · needs ${parts.join('; ') || 'nothing'}\n`;
}

/** A line for each thing that is wrong. */
export function checkDoctorDocs(page: string, checks: readonly DocumentedCheck[]): readonly string[] {
  const sections = new Map(
    page
      .split(/^(?=### D\d+ )/m)
      .slice(1)
      .map((text) => [/^### (D\d+)/.exec(text)?.[1] ?? '', text.replace(/^#{1,2} .*$[\s\S]*/m, '')] as const),
  );
  const rows = new Set([...page.matchAll(/^\| (P\d+) \|/gm)].map((row) => row[1] ?? ''));
  const known = new Set(checks.map(({ id }) => id));
  return [
    ...checks.flatMap((check) => {
      const text = sections.get(check.id);
      if (text === undefined) return [`${check.id} has no section`];
      const wrongHead = text.startsWith(sectionHead(check))
        ? []
        : [`${check.id} does not begin as ${JSON.stringify(sectionHead(check))}`];
      return [
        ...wrongHead,
        ...(text.includes('**Fix**') ? [] : [`${check.id} does not say how it is mended`]),
      ];
    }),
    ...[...sections.keys()].filter((id) => !known.has(id)).map((id) => `${id} is no check`),
    ...checks.flatMap(({ id, pains }) =>
      pains.filter((pain) => !rows.has(pain)).map((pain) => `${pain} of ${id} is explained nowhere`),
    ),
  ];
}
