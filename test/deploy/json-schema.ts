/** JSON schemas, as charts and definitions of custom resources have them: the one user of ajv here. */
import { Ajv } from 'ajv';

/** Gives what the schema has against a value, a line each. `strict: false` knows Kubernetes' `x-` words as none of its business. */
export function compileSchema(schema: object): (value: unknown) => readonly string[] {
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  return (value) => {
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}
