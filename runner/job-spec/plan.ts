/** Bytes and memory of every point a rank, before anything is allocated. */
import { kindsByName, type PointPlan, type SpecKind } from './spec-kind.js';
import type { Point, ResolvedSpec } from './types.js';
import { valueOf } from '../values/items.js';

export interface PlannedPoint {
  readonly point: Point;
  /** By rank. */
  readonly ranks: readonly PointPlan[];
}

/**
 * The plan of every point on every rank of a world of `worldSize`; `ranksPerNode` 0 = one host holds all. Where the
 * device is decided only by the run (`auto`), the host's.
 */
export function planPoints(
  spec: ResolvedSpec,
  kinds: readonly SpecKind[],
  worldSize: number,
  ranksPerNode = spec.ranksPerNode,
): PlannedPoint[] {
  const byName = kindsByName(kinds);
  const perNode = ranksPerNode === 0 ? worldSize : ranksPerNode;
  const device = spec.device === 'cuda' ? 'cuda' : 'host';
  return spec.points.map((point) => {
    const kind = valueOf(byName, point.job.kind);
    const ranks = Array.from({ length: worldSize }, (_, rank) =>
      kind.plan(point, { worldSize, rank, ranksPerNode: perNode, device }),
    );
    return { point, ranks };
  });
}
