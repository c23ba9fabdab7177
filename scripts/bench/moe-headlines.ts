/** Headlines of dispatch and combine. */
import { microseconds, milliseconds, share, times, type Headline } from './headline.js';
import { pick } from './pick-row.js';
import type { Row } from './row.js';

export function exchangeHeadline(phase: 'dispatch' | 'combine', dtype: string, numTokens: number): Headline {
  const row = (rows: readonly Row[], timing: string): Row =>
    pick(rows, {
      job_id: 'deepseek-v3',
      phase,
      timing,
      params: { dispatchDtype: dtype, numTokens },
    });
  const name = phase === 'combine' ? 'combine' : `dispatch ${dtype}`;
  return {
    what: `DeepSeek-V3 shape on 4 GPUs, ${name}, ${numTokens} ${numTokens === 1 ? 'token' : 'tokens'} per rank (graph / cold event)`,
    table: 'moe-models-cuda',
    page: 'moe-gpu',
    figure: (rows) => `${microseconds(row(rows, 'graph'))} / ${microseconds(row(rows, 'event'))}`,
    ratio: (rows) => `${share(row(rows, 'graph'))} of peer stores of the same bytes`,
  };
}

export function nodesHeadline(phase: 'dispatch' | 'combine'): Headline {
  const row = (rows: readonly Row[], transport: string): Row =>
    pick(rows, {
      job_id: 'deepseek-v3-2x2',
      phase,
      timing: 'graph',
      transport_requested: transport,
      strategy_requested: 'dedup auto',
      params: { dispatchDtype: 'bf16', numTokens: 128 },
    });
  return {
    what: `2 x 2 GPUs, emulated nodes over UCX/TCP loopback, ${phase} bf16, 128 tokens, hybrid`,
    table: 'moe-cuda-nodes',
    page: 'moe-gpu',
    figure: (rows) => milliseconds(row(rows, 'hybrid')),
    ratio: (rows) =>
      `${times(row(rows, 'hybrid'), row(rows, 'network'))} the network only; bytes bound it to 1.5`,
  };
}

export function highHeadline(
  phase: 'dispatch' | 'combine',
  job: 'rank' | 'expert',
  params: { readonly dispatchDtype: string; readonly smCount: number },
  strategy: 'sparse' | 'allGather',
): Headline {
  const row = (rows: readonly Row[], timing: string): Row =>
    pick(rows, { job_id: job, phase, timing, strategy_requested: strategy, params });
  const name = phase === 'combine' ? 'combine' : `dispatch ${params.dispatchDtype}`;
  return {
    what: `DeepSeek-V3 shape on 4 GPUs, high-throughput ${name}, ${job}-major rows, \`${strategy}\`, 4096 tokens per rank (host clock / cold event)`,
    table: 'moe-cuda-high-4',
    page: 'moe-gpu',
    figure: (rows) => `${microseconds(row(rows, 'host'))} / ${microseconds(row(rows, 'event'))}`,
    ratio: (rows) => `${share(row(rows, 'event'))} of peer stores of the same bytes`,
  };
}

export const alltoallv = (tokens: string): Headline => ({
  what: `Host device, 4 ranks, dispatch and combine, ${tokens} ${tokens === '1' ? 'token' : 'tokens'} per rank`,
  table: 'host-moe-alltoallv',
  page: 'moe-host',
  figure: (rows) => {
    const row = pick(rows, { tokens });
    return `${row['dispatch us']} / ${row['combine us']} us`;
  },
  ratio: (rows) => `${pick(rows, { tokens })['ratio']} x MPI_Ialltoallv`,
});

export const highAlltoallv = (tokens: string): Headline => ({
  what: `Host device, 4 ranks, high-throughput dispatch and combine, ${tokens} tokens per rank`,
  table: 'host-moe-high-alltoallv',
  page: 'moe-host',
  figure: (rows) => {
    const row = pick(rows, { tokens });
    return `${row['sparse dispatch us']} / ${row['sparse combine us']} us`;
  },
  ratio: (rows) => `${pick(rows, { tokens })['ratio']} x MPI_Ialltoallv`,
});
