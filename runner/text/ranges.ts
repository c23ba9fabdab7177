/** Numbers as ranges: how messages name ranks, and how options and the manifest name points. */

/** "rank 3", "ranks 0-2, 7". */
export function rankList(ranks: readonly number[]): string {
  return `${ranks.length === 1 ? 'rank' : 'ranks'} ${rangesOf(ranks).map(rangeText).join(', ')}`;
}

/** `0,3,7-9`, which `parseNumberList` reads. */
export function numberList(numbers: readonly number[]): string {
  return rangesOf(numbers).map(rangeText).join(',');
}

/** The numbers of `0,3,7-9`, each from 0 and below `end`; undefined for any other text. */
export function parseNumberList(text: string, end: number): number[] | undefined {
  const numbers: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (!match || last < first || last >= end) return undefined;
    for (let number = first; number <= last; number += 1) numbers.push(number);
  }
  return numbers;
}

type Range = readonly [first: number, last: number];

/** In ascending order; duplicates count once. */
export function rangesOf(numbers: readonly number[]): Range[] {
  const ranges: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && number <= last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

function rangeText([first, last]: Range): string {
  return first === last ? `${first}` : `${first}-${last}`;
}
