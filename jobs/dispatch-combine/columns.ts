/** What rows of dispatchCombine say beyond the common columns. */
import { column, type ColumnName } from '../../runner/job/column.js';

export const moeColumns = [
  column('num_tokens', '', 'Tokens of this rank.', { type: 'integer' }),
  column('num_selections', '', "Choices of this rank's tokens that name an expert (-1 excluded).", {
    type: 'integer',
  }),
  column(
    'messages_sent',
    '',
    'Dispatch messages of this rank, to itself too: one for each token and rank with dedup (node: and other node), else and expert.',
    { type: 'integer' },
  ),
  column('rows_received', '', "Rows that this rank's experts received.", { type: 'integer' }),
  column('experts_hit', '', "This rank's experts that received at least one row.", { type: 'integer' }),
  column('rows_per_expert_max', '', "Rows of the most loaded of this rank's experts.", { type: 'integer' }),
  column('padded_hidden', '', 'Elements of a token in messages: hidden, rounded up to a multiple of 128.', {
    type: 'integer',
  }),
  column('symmetric_bytes', 'bytes', 'Size of the symmetric buffer that peers write into.'),
  column(
    'mscclpp_hint_bytes',
    'bytes',
    "Size of MSCCL++'s low-latency buffer for the same shape, by its own formula.",
  ),
  column(
    'messages_forwarded',
    '',
    'Dispatch messages, with high throughput tokens, of other ranks that this one forwarded inside its node (dedup node).',
    { type: 'integer' },
  ),
  column(
    'wire_GBps',
    'GB/s',
    'High throughput: rows that came from other ranks (dispatch: tokens, combine: partial sums) in t_p50_us, without own rows.',
  ),
  column('sms', '', 'High throughput on GPUs: multiprocessors that a call uses.', { type: 'integer' }),
  column('first_call_us', 'us', "High throughput: the point's first call, before any warm-up."),
  column(
    'receive_rows',
    '',
    "High throughput: expert rows that this rank's receive memory holds, padding included.",
    { type: 'integer' },
  ),
];

export type MoeColumn = ColumnName<typeof moeColumns>;
