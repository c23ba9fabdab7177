/**
 * How many tokens one hash id of a trace stands for. The format does not say it: n ids for L tokens leave every T
 * with ceil(L / T) = n, that is L / n <= T and, where n > 1, T < L / (n - 1). All requests together leave a range.
 */

interface Request {
  readonly inputTokens: number;
  readonly hashIds: { readonly length: number };
}

export class BlockTokens {
  readonly #requests: readonly Request[];
  readonly #least: number;
  /** Infinity where every request has one id. */
  readonly #most: number;

  constructor(requests: readonly Request[]) {
    this.#requests = requests;
    let [least, most] = [1, Infinity];
    for (const { inputTokens, hashIds } of requests) {
      const ids = hashIds.length;
      least = Math.max(least, Math.ceil(inputTokens / ids));
      if (ids > 1) most = Math.min(most, Math.ceil(inputTokens / (ids - 1)) - 1);
    }
    this.#least = least;
    this.#most = most;
  }

  /** The usual number where it fits every request, else the one power of two that does; undefined where none or several do. */
  derive(usual: number): number | undefined {
    if (this.#fits(usual)) return usual;
    if (!Number.isFinite(this.#most)) return undefined;
    const first = 2 ** Math.ceil(Math.log2(this.#least));
    return this.#fits(first) && !this.#fits(2 * first) ? first : undefined;
  }

  /** Requests whose number of ids is another one with `tokens` per id, the first few. */
  misfits(tokens: number, most: number): { readonly index: number; readonly wrong: string }[] {
    const found: { index: number; wrong: string }[] = [];
    for (const [index, { inputTokens, hashIds }] of this.#requests.entries()) {
      const expected = Math.ceil(inputTokens / tokens);
      if (hashIds.length === expected) continue;
      const rule = `expected ${expected}: one per ${tokens} tokens of input_length ${inputTokens}`;
      found.push({ index, wrong: `${hashIds.length} hash_ids, ${rule}` });
      if (found.length === most) break;
    }
    return found;
  }

  /** What to do where the number in use does not fit. */
  hint(): string {
    const range = Number.isFinite(this.#most) ? `${this.#least} to ${this.#most}` : `${this.#least} or more`;
    if (this.#least > this.#most) {
      return 'no number of tokens per hash id fits every line: a line is wrong, or lines are of different traces';
    }
    return `every line fits with ${range} tokens per hash id: set trace.blockTokens`;
  }

  #fits(tokens: number): boolean {
    return tokens >= this.#least && tokens <= this.#most;
  }
}
