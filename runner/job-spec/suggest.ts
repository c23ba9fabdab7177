/** "Did you mean": the known word nearest to one that is not known. */

/** Edit distance (insert, delete, replace, each 1), case ignored. */
function distance(left: string, right: string): number {
  const [a, b] = [left.toLowerCase(), right.toLowerCase()];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min((previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, replaced));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The nearest of `known`, where it is near enough to be meant. */
function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 100) return undefined;
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const between = distance(word, candidate);
    if (between <= Math.max(2, Math.floor(word.length / 3)) && between < (best?.distance ?? Infinity)) {
      best = { word: candidate, distance: between };
    }
  }
  return best !== undefined && best.distance < word.length ? best.word : undefined;
}

/** A hint for an unknown word: the nearest known one, or all of them. */
export function suggestion(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  return `known here: ${known.join(', ')}`;
}
