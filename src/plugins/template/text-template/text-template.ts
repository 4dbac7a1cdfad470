/**
 * Go's text/template, as much of it as makes records (dns-server 3.16): fields, variables, pipelines, `if`, `with`,
 * `range`, the built-in functions. A template is compiled once, when the Corefile is read, and executed for each query.
 */
import { fail, ok, type Result } from '../../../fault/result.ts';
import { evaluate } from './evaluator.ts';
import { wrongTemplate } from './lexer.ts';
import { parseTemplate, WHOLE_DATA } from './parser.ts';
import { type Struct, TemplateHalt } from './value.ts';

/** Longer than any record: a template is a line of a Corefile. */
const MAX_SOURCE_CHARACTERS = 65_536;

export interface Template {
  readonly source: string;
  /** Fails with TEMPLATE_EXECUTION and Go's words for the reason, never throws; bounded in time and output. */
  execute(data: Struct): Result<string>;
  /** Whether it may look at this field of the data. */
  reads(field: string): boolean;
}

/** `fields` are those that the data will have. Fails with TEMPLATE_SYNTAX and an offset into `source`. */
export function compileTemplate(source: string, fields: readonly string[]): Result<Template> {
  if (source.length > MAX_SOURCE_CHARACTERS)
    return wrongTemplate(MAX_SOURCE_CHARACTERS, 'the template is too long');
  const parsed = parseTemplate(source, fields);
  if (!parsed.ok) return parsed;
  const { nodes, reads } = parsed;
  return ok({
    source,
    execute: (data) => execute(() => evaluate(nodes, data)),
    reads: (field) => reads.has(field) || reads.has(WHOLE_DATA),
  });
}

function execute(run: () => string): Result<string> {
  try {
    return ok(run());
  } catch (error) {
    if (error instanceof TemplateHalt) return fail('TEMPLATE_EXECUTION', undefined, error.message);
    throw error;
  }
}
