import t from 'tap';
import { movesOf, makePlan, arrivals, type PlannedMove } from '../../../jobs/transfer/moves.js';
import { givenTransfer } from './given-transfer.js';
import { wrongWords, type StartedMove } from './word-oracle.js';

const SIZES = [1, 2, 4, 8] as const;
const WORLD = 16;

function startedMoves(
  plan: ReturnType<typeof makePlan>,
  op: 'write' | 'read',
  worldSize = WORLD,
): StartedMove[] {
  return Array.from({ length: worldSize }, (_, rank) =>
    movesOf(plan, op, rank).map((move) => ({ op, rank, move })),
  ).flat();
}

t.test('every word of every target rank has exactly one source, for all pairs of sizes', async (t) => {
  for (const sourceTensorParallel of SIZES) {
    for (const targetTensorParallel of SIZES) {
      for (const pattern of ['pair', 'ring', 'manyToOne', 'oneToMany', 'allToAll']) {
        const sizes = { sourceTensorParallel, targetTensorParallel };
        const plan = makePlan(givenTransfer({ ...sizes, pattern, blocks: 3 }), WORLD);
        for (const op of ['write', 'read'] as const) {
          const what = `${sourceTensorParallel} -> ${targetTensorParallel}, ${pattern}, ${op}`;
          t.same(wrongWords(plan, startedMoves(plan, op), WORLD), [], what);
        }
      }
    }
  }
});

t.test('heads that several ranks hold alike come from one of them, and these take turns', async (t) => {
  const groups = [{ name: 'kv', layers: '0', kvHeads: 2, headDimK: 4 }];
  const sizes = { sourceTensorParallel: 8, targetTensorParallel: 4 };
  const plan = makePlan(givenTransfer({ layout: { groups }, ...sizes, blocks: 2 }), 16);
  t.same(wrongWords(plan, startedMoves(plan, 'write'), 16), []);
  const gives = Array.from({ length: 8 }, (_, rank) => movesOf(plan, 'write', rank).length);
  t.equal(gives.filter((count) => count > 0).length, 8, 'all ranks that hold a copy give it to someone');
});

t.test('blocks of other page sizes: the pages of one fill the blocks of the other', async (t) => {
  for (const [source, target] of [
    [16, 64],
    [64, 16],
    [32, 32],
  ] as const) {
    const layout = { groups: [{ name: 'kv', layers: '0-3', kvHeads: 4, headDimK: 8 }], pageSize: source };
    const given = { layout, targetLayout: { pageSize: target }, targetTensorParallel: 2, blocks: 5 };
    const plan = makePlan(givenTransfer(given), 4);
    t.same(wrongWords(plan, startedMoves(plan, 'read', 4), 4), [], `${source} -> ${target}`);
    const pages = arrivals(plan, 0).reduce((sum, each) => sum + each.targetIds.length, 0);
    // Ranks 0 and 1 are one target and hold what two sources send: 2 x 5 blocks of the larger size.
    t.equal(pages * Math.min(source, target), 10 * Math.max(source, target));
  }
});

// Worked out by hand: 8 heads, TP 4 holds two of them on each rank, TP 2 four.
t.test('one block id through 4 -> 2 and 2 -> 4', async (t) => {
  /** For each peer: heads of the full group, heads of the latent, where block 1 of the source goes. */
  const follow = (source: 2 | 4, target: 2 | 4, op: 'write' | 'read', rank: number): string[] => {
    const sizes = { sourceTensorParallel: source, targetTensorParallel: target };
    const plan = makePlan(givenTransfer({ ...sizes, order: 'sequential', blocks: 4 }), 4);
    return movesOf(plan, op, rank).map(({ peer, heads, sourcePages, targetPages }) => {
      const ranges = heads.map(({ begin, end }) => (end > begin ? `${begin}-${end - 1}` : 'none'));
      return `${peer}: ${ranges.join(', ')}, ${targetPages[sourcePages.indexOf(1)] ?? 'not here'}`;
    });
  };
  // Source ranks 0-3 are one instance; its four blocks are divided among the targets {0, 1} and {2, 3}. Block 1 goes to the first.
  t.same(follow(4, 2, 'write', 0), ['0: 0-1, 0-0, 1', '2: 0-1, none, not here']);
  t.same(follow(4, 2, 'write', 1), ['0: 2-3, none, 1', '1: none, 0-0, 1', '2: 2-3, none, not here']);
  t.same(follow(4, 2, 'write', 3), ['1: 6-7, none, 1', '3: 6-7, 0-0, not here']);
  // Two source instances, {0, 1} and {2, 3}, each with a block 1 of its own, for the one target instance.
  t.same(follow(2, 4, 'read', 1), [
    '0: 2-3, none, 1',
    '1: none, 0-0, 1',
    '2: 2-3, none, 5',
    '3: none, 0-0, 5',
  ]);
});

t.test('a planted wrong split is found, with block, layer and head', async (t) => {
  const plan = makePlan(
    givenTransfer({ sourceTensorParallel: 4, targetTensorParallel: 2, order: 'sequential' }),
    4,
  );
  const started = startedMoves(plan, 'write', 4);
  const plant = (change: (move: PlannedMove) => PlannedMove): string[] =>
    wrongWords(
      plan,
      started.map((each) =>
        each.rank === 1 && each.move.peer === 0 ? { ...each, move: change(each.move) } : each,
      ),
      4,
    );
  const shifted = plant((move) => ({ ...move, heads: [{ begin: 1, end: 3 }, ...move.heads.slice(1)] }));
  t.ok(shifted.includes('full layer 0 head 1: rank 1 does not hold it'));
  t.ok(shifted.includes('rank 0 block 0 full layer 0 head 1: from 0/0 and 0/0, expected 0/0'));
  t.ok(shifted.includes('rank 0 block 0 full layer 0 head 3: from nobody, expected 0/0'));
  const lost = plant((move) => ({
    ...move,
    sourcePages: move.sourcePages.slice(1),
    targetPages: move.targetPages.slice(1),
  }));
  t.ok(lost.includes('rank 0 block 0 full layer 0 head 2: from nobody, expected 0/0'));
});
