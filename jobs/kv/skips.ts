/** What is skipped somewhere, known before anything is opened; native code refuses the same points. */
import type { RunPlace } from '../../runner/job-spec/spec-kind.js';
import type { KvSpec } from './spec.generated.js';

const CUDA_STRATEGIES: ReadonlySet<string> = new Set(['memcpyBatch', 'staged']);

export const AUTO_WITH_STOPPING =
  'strategy `auto` with stopping: on cuda the strategies of mode replicated would be tried again in every batch; name one';

export function skippedTransfer(
  { mode, strategy, from, to, stopping }: Pick<KvSpec, 'mode' | 'strategy' | 'from' | 'to' | 'stopping'>,
  { device, worldSize, ranksPerNode, ncclMissing, networkMissing }: RunPlace,
): string | null {
  if (needsCollectives(mode, to, strategy)) {
    const isOneNode = worldSize <= ranksPerNode;
    if (device === 'cuda' && strategy === 'auto' && stopping !== undefined) return AUTO_WITH_STOPPING;
    if (strategy === 'ipc') {
      return isOneNode ? null : 'strategy `ipc`: ranks of different nodes share no memory; use auto';
    }
    if (device === 'cuda' && strategy === 'auto' && isOneNode) return null;
    if (device === 'cuda') return ncclMissing === '' ? null : `mode replicated needs NCCL: ${ncclMissing}`;
    const crosses = worldSize > ranksPerNode && networkMissing !== '';
    return crosses ? `mode replicated between nodes needs a network: ${networkMissing}` : null;
  }
  // Between host and disk no GPU takes part.
  const onCuda = device === 'cuda' && (from === 'device' || to === 'device');
  if (onCuda || !CUDA_STRATEGIES.has(strategy)) return null;
  return `strategy \`${strategy}\` needs a cuda device; the host device has memcpy, kernel and auto`;
}

/** Ranks meet only where blocks end on every device; what every rank loads for itself needs nobody. */
function needsCollectives(mode: KvSpec['mode'], to: KvSpec['to'], strategy: KvSpec['strategy']): boolean {
  return mode === 'replicated' && to === 'device' && strategy !== 'independent';
}
