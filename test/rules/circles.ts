/** Files that import each other in a circle, type-only imports included: neither can be read, moved or tested by itself. */
import { importsOf } from './imports.js';
import type { Source, Violation } from './sources.js';

/** Strongly connected components of more than one file (Tarjan 1972), each sorted by path. */
function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node) ?? 0);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      else if (!stack.includes(next)) continue;
      lowest.set(node, Math.min(lowest.get(node) ?? 0, lowest.get(next) ?? 0));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const members = stack.splice(stack.indexOf(node));
    if (members.length > 1) found.push(members.sort());
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return found;
}

export function circleViolations(sources: readonly Source[]): Violation[] {
  const paths = new Set(sources.map(({ path }) => path));
  const edges = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source)
        .map(({ target }) => target.replace(/\.js$/, '.ts'))
        .filter((target) => paths.has(target)),
    ]),
  );
  return circlesOf(edges).map((members) => ({
    where: members[0] ?? '',
    what: `${members.join(', ')} import each other in a circle`,
    remedy: 'Move what both need into a file of its own below them',
  }));
}
