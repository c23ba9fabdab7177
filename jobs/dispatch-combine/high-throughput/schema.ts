/** JSON Schema of the keys that `algorithm: "highThroughput"` adds. */
import type { Schema } from '../../../runner/job-spec/common-schema.js';

const MAX_EXPERT_ALIGNMENT = 1024;

export const highThroughputSchema: Readonly<Record<string, Schema>> = {
  algorithm: {
    enum: ['lowLatency', 'highThroughput'],
    default: 'lowLatency',
    description:
      'lowLatency: for few tokens (decode), no counts before the rows; highThroughput: for many (prefill), rows in an order that follows from the routing, memory for what arrives.',
  },
  strategy: {
    enum: ['auto', 'sparse', 'allGather'],
    default: 'auto',
    description:
      'highThroughput. sparse: a token goes to the ranks that host its experts; allGather: all tokens go to all ranks in one piece and are selected there; auto: allGather if a few calls show it to be faster on every rank.',
  },
  expertAlignment: {
    type: 'integer',
    minimum: 1,
    maximum: MAX_EXPERT_ALIGNMENT,
    default: 1,
    description: 'highThroughput: the rows of each expert begin at a multiple of this.',
  },
  reuseLayout: {
    type: 'boolean',
    default: false,
    description: 'highThroughput: all dispatches reuse the layout of the first one and exchange no counts.',
  },
  weighted: {
    type: 'boolean',
    default: true,
    description: 'highThroughput: combine applies the weights; false: the experts have applied them.',
  },
  smCount: {
    anyOf: [{ type: 'integer', minimum: 1, maximum: 1024 }, { const: 'auto' }],
    default: 'auto',
    description: 'highThroughput: multiprocessors of the GPU that a call may use.',
  },
  receiveRows: {
    anyOf: [{ enum: ['exact', 'worstCase'] }, { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 }],
    default: 'exact',
    description:
      'highThroughput: memory for expert rows. exact: for this routing, known before rows move; worstCase: for any routing, without waiting for counts; a number: that many on each rank, a dispatch that needs more is refused.',
  },
};
