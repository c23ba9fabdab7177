/** The words of `plan` for kinds whose ranks differ, and the plot of `simulate` for curves of many points. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { planSpec } from '../../../runner/cli/plan-spec.js';
import { hitRatePlot } from '../../../runner/cli/simulate-plot.js';
import type { PointPlan, SpecKind } from '../../../runner/job-spec/spec-kind.js';

type Details = NonNullable<PointPlan['details']>;

/** What `plan` prints of one job `sweep` of a kind whose ranks have these details. */
function planOf(t: Test, worldSize: number, detailsOf: (rank: number) => Details, sweep = {}): string {
  const kind: SpecKind = {
    kind: 'toy',
    summary: 'A kind of this test.',
    schema: { type: 'object', properties: { size: { type: 'integer', default: 1 } } },
    example: {},
    assumedKeys: ['double'],
    resolve: ({ spec }) => ({ spec: { ...spec, double: 2 * Number(spec['size']) } }),
    check: () => [],
    plan: (_, { rank }) => ({
      memoryBytes: { device: 0, host: 8, disk: 0 },
      payloadBytes: 8,
      details: detailsOf(rank),
    }),
  };
  const path = join(t.testdir(), 'spec.json');
  writeFileSync(path, JSON.stringify({ jobs: [{ id: 'j', kind: 'toy', sweep }] }));
  return planSpec(path, worldSize, { kinds: [kind] }).stdout;
}

t.test('details of ranks that differ are told rank by rank, of many as ranges', async (t) => {
  const few = planOf(t, 4, (rank) => ({ links: rank < 2 ? 1 : 3 }));
  t.match(few, /^point 0: ranks 0-1: links=1\npoint 0: ranks 2-3: links=3$/m);
  const many = planOf(t, 40, (rank) => ({
    links: rank,
    path: `p${rank}`,
    width: 4,
    ...(rank === 39 ? { last: 1 } : {}),
  }));
  t.match(many, /^point 0: links=0\.\.39 path=differs width=4 last=differs$/m);
  t.match(
    planOf(t, 2, () => ({ links: 2 })),
    /^point 0: links=2$/m,
  );
});

t.test('of many values that a key got, the first four are shown', async (t) => {
  const shown = (count: number): string => {
    const sweep = { size: Array.from({ length: count }, (_, at) => at + 1) };
    return planOf(t, 1, () => ({}), sweep);
  };
  t.match(shown(4), /^Defaults of j: double=2\|4\|6\|8$/m);
  t.match(shown(5), /^Defaults of j: double=2\|4\|6\|8\|\.\.\.$/m);
});

t.test('a curve of many sizes is drawn with few points, the first and the last among them', async (t) => {
  const rowsOf = (count: number): string =>
    JSON.stringify({
      trace: 'chat.jsonl',
      rows: [
        ...Array.from({ length: count }, (_, at) => ({
          policy: 'lru',
          capacityBlocks: at + 1,
          hitPct: (100 * at) / count,
        })),
        { policy: 'lru', capacityBlocks: null, hitPct: 100 },
      ],
    });
  const pointsOf = (svg: string): number =>
    /<path [^>]*\bd="(M[^"]*L[^"]*)"[^>]*stroke-width="2"/.exec(svg)?.[1]?.split('L').length ?? 0;
  t.equal(pointsOf(await hitRatePlot(rowsOf(20))), 20);
  const points = pointsOf(await hitRatePlot(rowsOf(5000)));
  t.ok(points > 100 && points <= 302, `${points}`);
});
