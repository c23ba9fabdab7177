/** What a line of a request trace says, whatever its format. */

/** A prefix block: a number that is exact, a BigInt up to 64 bits, or the hex text of a hash. */
export type HashId = number | bigint | string;

export interface TraceRequest {
  /** From the trace's zero, never earlier than that of the line before. */
  readonly timestampMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** One for each block of the input, from its head; none where the format has no blocks. */
  readonly hashIds: readonly HashId[];
  /** Requests of one session follow each other; absent where the format or line has none. */
  readonly session?: string;
  /** From the end of the session's request before, where the line says so. */
  readonly delayMs?: number;
}

export type ParsedLine = TraceRequest | { readonly wrong: string };
