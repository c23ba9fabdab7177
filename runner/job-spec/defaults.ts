/** Fills a value with the defaults of its schema, once and for all: nothing later guesses. */
import type { Schema } from './common-schema.js';
import { isObject } from './pointer.js';
import { dereference, propertiesOf } from './schema.js';

export function fillDefaults(value: unknown, schema: Schema, root: Schema = schema): unknown {
  if (!isObject(value)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [key, property] of Object.entries(propertiesOf(dereference(schema, root)))) {
    const meant = dereference(property, root);
    if (!Object.hasOwn(filled, key)) {
      if (!('default' in meant)) continue;
      filled[key] = structuredClone(meant['default']);
    }
    filled[key] = fillDefaults(filled[key], meant, root);
  }
  return filled;
}
