/** Label selectors as every policy writes them. */
import type { LabelExpression, LabelSelector } from '../../../cluster/rows.ts';
import { type JsonRecord, parsedItems, recordOf, textOf, textRecordOf } from '../../../kube/json-fields.ts';

/** An object, even an empty one: `{}` is a selector that matches everything and not an absent one. */
export function selectorPart(value: unknown): LabelSelector | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return selectorOf(recordOf(value));
}

function selectorOf(selector: JsonRecord): LabelSelector {
  return {
    matchLabels: textRecordOf(selector.matchLabels),
    matchExpressions: parsedItems(selector.matchExpressions, (item): LabelExpression => {
      const fields = recordOf(item);
      return {
        key: textOf(fields.key) ?? '',
        operator: textOf(fields.operator) ?? '',
        values: parsedItems(fields.values, textOf),
      };
    }),
  };
}
