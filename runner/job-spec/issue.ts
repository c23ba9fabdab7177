/** One issue of a spec: where (JSON Pointer), what was expected, what was received, and what to do. */
export interface SpecIssue {
  /** JSON Pointer into the spec document, for example "/jobs/0/layout/pageSize"; '' is the whole document. */
  readonly pointer: string;
  readonly expected: string;
  readonly received: string;
  readonly hint?: string;
}

/** The text for a user: a head line with the source, then one block an issue. */
export function formatIssues(issues: readonly SpecIssue[], source: string): string {
  const head = `${source}: ${issues.length === 1 ? '1 issue' : `${issues.length} issues`}`;
  const blocks = issues.map((issue) => {
    const lines = [
      `  at ${issue.pointer === '' ? '(the whole document)' : issue.pointer}`,
      `    expected: ${issue.expected}`,
      `    received: ${issue.received}`,
    ];
    if (issue.hint !== undefined) lines.push(`    hint:     ${issue.hint}`);
    return lines.join('\n');
  });
  return [head, ...blocks].join('\n');
}

/** The same issue seen from several points of a sweep is one issue; order of first sight is kept. */
export function uniqueIssues(issues: readonly SpecIssue[]): SpecIssue[] {
  const seen = new Map<string, SpecIssue>();
  for (const issue of issues) {
    const key = JSON.stringify([issue.pointer, issue.expected, issue.received]);
    if (!seen.has(key)) seen.set(key, issue);
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
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${jsonOf(inner)}`).join(',')}}`;
}
