/** Reads what one test file wrote (TAP) into cases: a named test without tests inside, or an assertion on its own. */
import { Parser, type Result } from 'tap-parser';

export type CaseStatus = 'passed' | 'failed' | 'skipped';

export interface TestCase {
  readonly name: string;
  readonly status: CaseStatus;
  /** Why it was skipped, or what the assertions that failed said. */
  readonly detail: string;
}

interface Node {
  readonly entries: { result: Result; inside: Node | undefined }[];
  pending: Node | undefined;
}

export interface ParsedOutput {
  readonly cases: TestCase[];
  /** What is wrong with the file as a whole: a bail-out, a missing plan; empty = nothing. */
  readonly fault: string;
}

function watch(parser: Parser): Node {
  const node: Node = { entries: [], pending: undefined };
  parser.on('child', (child: Parser) => {
    node.pending = watch(child);
  });
  parser.on('assert', (result: Result) => {
    node.entries.push({ result, inside: node.pending });
    node.pending = undefined;
  });
  return node;
}

function describeDiagnostic(diagnostic: unknown): string {
  if (diagnostic === null || typeof diagnostic !== 'object') return '';
  const lines: string[] = [];
  for (const [key, value] of Object.entries(diagnostic)) {
    if (key === 'source' || key === 'tapCaught') continue;
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
    lines.push(`${key}: ${text.trimEnd().replaceAll('\n', '\n  ')}`);
  }
  return lines.join('\n');
}

function describeFailures(node: Node): string {
  return node.entries
    .filter(({ result }) => !result.ok && !result.skip)
    .map(({ result }) => `${result.name}\n${describeDiagnostic(result.diag)}`.trim())
    .join('\n');
}

function collect(node: Node, prefix: string, cases: TestCase[]): void {
  for (const { result, inside } of node.entries) {
    const name = [prefix, result.name].filter((part) => part !== '').join(' > ');
    if (inside?.entries.some((entry) => entry.inside)) {
      collect(inside, name, cases);
      continue;
    }
    if (result.skip || result.todo) {
      const reason = result.skip || result.todo;
      cases.push({ name, status: 'skipped', detail: typeof reason === 'string' ? reason : '' });
      continue;
    }
    const skippedInside = inside?.entries.filter((entry) => entry.result.skip) ?? [];
    for (const { result: skipped } of skippedInside) {
      const reason = typeof skipped.skip === 'string' ? skipped.skip : '';
      cases.push({ name: `${name} > ${skipped.name}`, status: 'skipped', detail: reason });
    }
    const failures = inside ? describeFailures(inside) : '';
    const detail = result.ok ? '' : failures || describeDiagnostic(result.diag);
    if (result.ok && inside && skippedInside.length === inside.entries.length && inside.entries.length > 0)
      continue;
    cases.push({ name, status: result.ok ? 'passed' : 'failed', detail });
  }
}

export function parseTap(output: string): ParsedOutput {
  const parser = new Parser();
  const top = watch(parser);
  let bail = '';
  parser.on('bailout', (reason: string) => {
    bail = `bail out: ${reason}`;
  });
  parser.end(output);
  const cases: TestCase[] = [];
  collect(top, '', cases);
  const failures = parser.failures.filter((failure) => 'tapError' in failure && failure.tapError);
  const planFaults = failures.map((failure) => String((failure as { tapError?: unknown }).tapError));
  return { cases, fault: [bail, ...planFaults].filter((line) => line !== '').join('; ') };
}
