/** Fills a value with the defaults of its schema, once and for all: nothing later guesses. */
import type { Schema } from './common-schema.js';
import { isObject } from './pointer.js';
import { dereference, propertiesOf } from './schema.js';

export function fillDefaults(
  value: Readonly<Record<string, unknown>>,
  schema: Schema,
  root: Schema = schema,
): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...value };
  for (const [key, property] of Object.entries(propertiesOf(dereference(schema, root)))) {
    const meant = dereference(property, root);
    if (!Object.hasOwn(filled, key)) {
      if (!('default' in meant)) continue;
      filled[key] = structuredClone(meant.default);
    }
    const inner = filled[key];
    if (isObject(inner)) filled[key] = fillDefaults(inner, meant, root);
  }
  return filled;
}
