/** Figures for people: three significant digits, and nothing where there is nothing. */

export function threeDigits(value: number | undefined): string {
  if (value === undefined) return '';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-3) return value.toExponential(2);
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** Microseconds as us, ms or s. */
export function timeText(us: number | undefined): string {
  if (us === undefined) return '';
  if (us < 1000) return `${threeDigits(us)} us`;
  return us < 1e6 ? `${threeDigits(us / 1000)} ms` : `${threeDigits(us / 1e6)} s`;
}

/** `+12.3 %`; nothing where there is nothing. */
export function changeText(pct: number | undefined): string {
  return pct === undefined ? '' : `${pct >= 0 ? '+' : ''}${pct.toFixed(Math.abs(pct) < 100 ? 1 : 0)} %`;
}

/** Of a ratio of times. */
export function ratioText(ratio: number | undefined): string {
  return ratio === undefined ? '' : changeText(100 * (ratio - 1));
}
