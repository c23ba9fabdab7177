/**
 * How many tokens one hash id of a trace stands for. The formats do not say it: n ids for L tokens leave every T
 * with ceil(L / T) = n, that is L / n <= T and, where n > 1, T < L / (n - 1). Where a short last block may have no id,
 * floor(L / T) = n will do as well: L / (n + 1) < T <= L / n. All requests together leave a range.
 */

interface Request {
  readonly inputTokens: number;
  readonly hashIds: { readonly length: number };
}

export class BlockTokens {
  /** Whether the last block has an id also where it is short. */
  readonly #lastBlockHasId: boolean;
  #least = 1;
  /** Infinity where every request has one id. */
  #most = Infinity;

  constructor(lastBlockHasId: boolean, requests: Iterable<Request> = []) {
    this.#lastBlockHasId = lastBlockHasId;
    for (const request of requests) this.add(request);
  }

  add({ inputTokens, hashIds }: Request): void {
    const ids = hashIds.length;
    const allIds = this.#lastBlockHasId ? ids : ids + 1;
    const least = this.#lastBlockHasId ? Math.ceil(inputTokens / ids) : Math.floor(inputTokens / allIds) + 1;
    this.#least = Math.max(this.#least, least);
    if (ids > 1) this.#most = Math.min(this.#most, Math.ceil(inputTokens / (ids - 1)) - 1);
  }

  /** The usual number where it fits every request, else the one power of two that does; undefined where none or several do. */
  derive(usual: number): number | undefined {
    if (this.#fits(usual)) return usual;
    if (!Number.isFinite(this.#most)) return undefined;
    const first = 2 ** Math.ceil(Math.log2(this.#least));
    return this.#fits(first) && !this.#fits(2 * first) ? first : undefined;
  }

  /** What is wrong with a request's number of ids when an id stands for `tokens`; null: nothing. */
  misfit({ inputTokens, hashIds }: Request, tokens: number): string | null {
    const expected = Math.ceil(inputTokens / tokens);
    if (hashIds.length === expected) return null;
    const whole = Math.floor(inputTokens / tokens);
    if (!this.#lastBlockHasId && hashIds.length === whole) return null;
    const counts = this.#lastBlockHasId || whole === expected ? `${expected}` : `${whole} or ${expected}`;
    const rule = `expected ${counts}: one per ${tokens} tokens of input_length ${inputTokens}`;
    return `${hashIds.length} hash_ids, ${rule}`;
  }

  /** What to do where the number in use does not fit. */
  hint(key: string): string {
    const range = Number.isFinite(this.#most) ? `${this.#least} to ${this.#most}` : `${this.#least} or more`;
    if (this.#least > this.#most) {
      return 'no number of tokens per hash id fits every line: a line is wrong, or lines are of different traces';
    }
    return `every line fits with ${range} tokens per hash id: set ${key}`;
  }

  #fits(tokens: number): boolean {
    return tokens >= this.#least && tokens <= this.#most;
  }
}
