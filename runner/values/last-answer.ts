/** Remembers the last answer of an owner, by key, for callers that mostly ask the same again. Forgotten with the owner. */
export class LastAnswer<T> {
  readonly #answers = new WeakMap<object, { readonly key: string; readonly answer: T }>();

  of(owner: object, key: string, find: () => T): T {
    const known = this.#answers.get(owner);
    if (known?.key === key) return known.answer;
    const answer = find();
    this.#answers.set(owner, { key, answer });
    return answer;
  }
}
