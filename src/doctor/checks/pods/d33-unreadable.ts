/** What could not be read of the site is a finding of its own: silence about it would pass for health. */
import type { Check } from '../../check.ts';

/** A folder of something else altogether would be told of file by file. */
const TOLD = 100;

export const d33: Check = {
  id: 'D33',
  title: 'An object or a document cannot be read',
  pains: ['P30'],
  needs: {},
  run({ troubles }) {
    return troubles.slice(0, TOLD).map(({ subject, reason, place }) => ({
      id: 'D33' as const,
      severity: 'warning' as const,
      title: d33.title,
      object: subject,
      evidence: [
        `${place === undefined ? subject : `${place.file}:${place.line}:${place.column}`}: ${reason}`,
        ...(troubles.length > TOLD ? [`${troubles.length - TOLD} more are not told`] : []),
      ],
      cause: 'what does not parse is left out of every other check',
      fix: { kind: 'text' as const, text: 'Correct what the evidence names' },
    }));
  },
};
