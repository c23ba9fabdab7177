/** What rows of dispatchCombine say beyond the common columns. */
import type { ColumnDefinition } from '../../runner/results/columns.js';

export const moeColumns: readonly ColumnDefinition[] = [
  { name: 'num_tokens', unit: '', type: 'integer', meaning: 'Tokens of this rank.' },
  {
    name: 'num_selections',
    unit: '',
    type: 'integer',
    meaning: "Choices of this rank's tokens that name an expert (-1 excluded).",
  },
  {
    name: 'messages_sent',
    unit: '',
    type: 'integer',
    meaning:
      'Dispatch messages of this rank, to itself too: one for each token and rank with dedup (node: and other node), else and expert.',
  },
  { name: 'rows_received', unit: '', type: 'integer', meaning: "Rows that this rank's experts received." },
  {
    name: 'experts_hit',
    unit: '',
    type: 'integer',
    meaning: "This rank's experts that received at least one row.",
  },
  {
    name: 'rows_per_expert_max',
    unit: '',
    type: 'integer',
    meaning: "Rows of the most loaded of this rank's experts.",
  },
  {
    name: 'padded_hidden',
    unit: '',
    type: 'integer',
    meaning: 'Elements of a token as it travels: hidden, in steps of 128.',
  },
  {
    name: 'symmetric_bytes',
    unit: 'bytes',
    meaning: 'Size of the symmetric buffer that peers write into.',
  },
  {
    name: 'seed_hint_bytes',
    unit: 'bytes',
    meaning: "What MSCCL++'s low-latency buffer takes for the same shape, by its own formula.",
  },
  {
    name: 'messages_forwarded',
    unit: '',
    type: 'integer',
    meaning: 'Dispatch messages of other ranks that this one handed on inside its node (dedup node).',
  },
];
