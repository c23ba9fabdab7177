/** What rows of dispatchCombine say beyond the common columns. */
import type { ColumnDefinition } from '../../runner/results/columns.js';

export const moeColumns: readonly ColumnDefinition[] = [
  { name: 'num_tokens', unit: '', meaning: 'Tokens of this rank.' },
  {
    name: 'num_selections',
    unit: '',
    meaning: "Choices of this rank's tokens that name an expert (-1 excluded).",
  },
  {
    name: 'messages_sent',
    unit: '',
    meaning:
      'Dispatch messages of this rank, to itself too: one for each token and rank with dedup (node: and other node), else and expert.',
  },
  { name: 'rows_received', unit: '', meaning: "Rows that this rank's experts received." },
  { name: 'experts_hit', unit: '', meaning: "This rank's experts that received at least one row." },
  { name: 'rows_per_expert_max', unit: '', meaning: "Rows of the most loaded of this rank's experts." },
  { name: 'padded_hidden', unit: '', meaning: 'Elements of a token as it travels: hidden, in steps of 128.' },
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
    meaning: 'Dispatch messages of other ranks that this one handed on inside its node (dedup node).',
  },
];
