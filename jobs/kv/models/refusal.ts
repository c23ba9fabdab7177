/** A config.json that is not planned, and why. Thrown inside the reader, and an answer outside of it. */

export interface Refused {
  /** What a readable file has at this place. */
  readonly expected: string;
  /** Key and value of the file, or what the file is instead. */
  readonly received: string;
  readonly hint?: string;
}

export class ConfigRefusal extends Error {
  readonly refused: Refused;

  constructor(expected: string, received: string, hint?: string) {
    super(`expected ${expected}, received ${received}`);
    this.name = 'ConfigRefusal';
    this.refused = { expected, received, ...(hint === undefined ? {} : { hint }) };
  }
}

const LONGEST_SHOWN = 100;

/** A value as a user would recognise it, cut to a line. Knows the numbers that JSON has no word for. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' || (typeof inner === 'number' && !Number.isFinite(inner))
      ? String(inner)
      : inner,
  );
  return text.length <= LONGEST_SHOWN
    ? text
    : `${text.slice(0, LONGEST_SHOWN)}... (${text.length} characters)`;
}

/** "layers 0-2, 5" */
export function layerList(layers: readonly number[]): string {
  const runs: string[] = [];
  for (let at = 0; at < layers.length;) {
    let end = at;
    while (end + 1 < layers.length && layers[end + 1] === (layers[end] ?? 0) + 1) end++;
    runs.push(end === at ? `${layers[at]}` : `${layers[at]}-${layers[end]}`);
    at = end + 1;
  }
  const most = 8;
  const shown = runs.length > most ? [...runs.slice(0, most), `... (${layers.length} in all)`] : runs;
  return `${layers.length === 1 ? 'layer' : 'layers'} ${shown.join(', ')}`;
}
