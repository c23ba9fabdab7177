/**
 * The types of resolved jobs that are generated: what `resolve` makes of a kind's keys is too much to write down twice.
 * A kind whose keys stay as they are written has its type next to its code, and no entry here.
 */
import { moeResolvedSchema } from '../../jobs/dispatch-combine/resolved-schema.js';
import { kvResolvedSchema } from '../../jobs/kv/resolved-schema.js';
import { replayResolvedSchema } from '../../jobs/replay/resolved-schema.js';
import { transferResolvedSchema } from '../../jobs/transfer/resolved-schema.js';
import type { Schema } from '../../runner/job-spec/common-schema.js';

export interface SpecType {
  readonly name: string;
  readonly kinds: readonly string[];
  /** Has resolved-schema.ts, and gets spec.generated.ts. */
  readonly folder: string;
  readonly schema: Schema;
}

const KV_KINDS = ['offload', 'onboard', 'broadcast'];

export const SPEC_TYPES: readonly SpecType[] = [
  { name: 'KvSpec', kinds: KV_KINDS, folder: 'jobs/kv', schema: kvResolvedSchema(KV_KINDS) },
  {
    name: 'MoeSpec',
    kinds: ['dispatchCombine'],
    folder: 'jobs/dispatch-combine',
    schema: moeResolvedSchema(),
  },
  { name: 'TransferSpec', kinds: ['transfer'], folder: 'jobs/transfer', schema: transferResolvedSchema() },
  { name: 'ReplaySpec', kinds: ['replay'], folder: 'jobs/replay', schema: replayResolvedSchema() },
];
