/** Which of a request's blocks a cache takes. */
import type { TraceRequest } from './request.js';

/** cached: the last block also where it is short; not cached: only full blocks, as engines have it that hash those. */
export type ShortBlock = 'cached' | 'not cached';

export function cachedIds(
  { hashIds, inputTokens }: Pick<TraceRequest, 'hashIds' | 'inputTokens'>,
  blockTokens: number | null,
  shortBlock: ShortBlock,
): TraceRequest['hashIds'] {
  if (blockTokens === null || shortBlock === 'cached') return hashIds;
  const whole = Math.floor(inputTokens / blockTokens);
  return whole < hashIds.length ? hashIds.slice(0, whole) : hashIds;
}
