/** Resolved transfers for tests, from what a user would write. */
import { SpecFiles } from '../../../runner/job-spec/files.js';
import type { JsonObject } from '../../../runner/job-spec/types.js';
import { resolveTransfer } from '../../../jobs/transfer/resolve.js';
import { TRANSFER_KEYS } from '../../../jobs/transfer/schema.js';
import type { TransferSpec } from '../../../jobs/transfer/spec.generated.js';

/** Two layers of eight heads, and a latent of three layers. */
export const MIXED_GROUPS = [
  { name: 'full', layers: '0-1', kvHeads: 8, headDimK: 4, headDimV: 2 },
  { name: 'latent', layers: '2-4', kind: 'latent', headDimK: 6 },
];

export type Answer = ReturnType<typeof resolveTransfer>;

export function resolveGiven(given: JsonObject, folders: readonly string[] = []): Answer {
  const defaults = Object.fromEntries(
    Object.entries(TRANSFER_KEYS)
      .filter(([, schema]) => 'default' in schema)
      .map(([key, schema]) => [key, schema['default']]),
  );
  const spec = { id: 't', kind: 'transfer', seed: 7, verify: 'full', ...defaults, ...given } as JsonObject;
  return resolveTransfer({ spec, given, swept: {}, files: new SpecFiles(folders) });
}

export function givenTransfer(given: JsonObject): TransferSpec {
  const answer = resolveGiven({ layout: { groups: MIXED_GROUPS }, ...given } as JsonObject);
  if ('issues' in answer) throw new Error(JSON.stringify(answer.issues));
  return answer.spec as unknown as TransferSpec;
}
