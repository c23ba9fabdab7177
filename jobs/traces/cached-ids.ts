/** Which of a request's blocks a cache takes. */
import type { TraceRequest } from './request.js';

/**
 * `cachesShort`: the last block also where it is short; else only full blocks, as engines have it that hash those.
 * `blockTokens` 0: the trace names no blocks.
 */
export function cachedIds(
  { hashIds, inputTokens }: Pick<TraceRequest, 'hashIds' | 'inputTokens'>,
  blockTokens: number,
  cachesShort: boolean,
): TraceRequest['hashIds'] {
  const whole = Math.floor(inputTokens / blockTokens);
  return cachesShort || whole >= hashIds.length ? hashIds : hashIds.slice(0, whole);
}
