/** Benjamini & Hochberg, J. R. Stat. Soc. B 57 (1995) 289. */

/** Adjusted p-values in the order given: those at most q may be rejected at a false discovery rate of q. */
export function adjustedP(pValues: readonly number[]): number[] {
  const order = pValues.map((p, at) => ({ p, at })).sort((a, b) => b.p - a.p);
  const adjusted: number[] = Array.from({ length: pValues.length }, () => 1);
  let least = 1;
  order.forEach(({ p, at }, fromTop) => {
    least = Math.min(least, (p * pValues.length) / (pValues.length - fromTop));
    adjusted[at] = least;
  });
  return adjusted;
}
