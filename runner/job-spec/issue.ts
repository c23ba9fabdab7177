/** One fault of a spec: where (JSON Pointer), what was expected, what was received, and what to do. */
export interface Fault {
  /** JSON Pointer into the spec document, for example "/jobs/0/layout/pageSize"; '' is the whole document. */
  readonly pointer: string;
  readonly expected: string;
  readonly received: string;
  readonly hint?: string;
}

/** The text for a user: a head line with the source, then one block a fault. */
export function formatFaults(faults: readonly Fault[], source: string): string {
  const head = `${source}: ${faults.length === 1 ? '1 fault' : `${faults.length} faults`}`;
  const blocks = faults.map((fault) => {
    const lines = [
      `  at ${fault.pointer === '' ? '(the whole document)' : fault.pointer}`,
      `    expected: ${fault.expected}`,
      `    received: ${fault.received}`,
    ];
    if (fault.hint !== undefined) lines.push(`    hint:     ${fault.hint}`);
    return lines.join('\n');
  });
  return [head, ...blocks].join('\n');
}

/** The same fault seen from several points of a sweep is one fault; order of first sight is kept. */
export function uniqueFaults(faults: readonly Fault[]): Fault[] {
  const seen = new Map<string, Fault>();
  for (const fault of faults) {
    const key = JSON.stringify([fault.pointer, fault.expected, fault.received]);
    if (!seen.has(key)) seen.set(key, fault);
  }
  return [...seen.values()];
}

/** A value as a user would recognise it: its JSON, cut to a line. Integers of any size as they were written. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = jsonOf(value);
  const longest = 100;
  return text.length <= longest ? text : `${text.slice(0, longest)}... (${text.length} characters)`;
}

function jsonOf(value: unknown): string {
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'nothing';
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${jsonOf(inner)}`).join(',')}}`;
}
