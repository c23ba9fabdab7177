import t from 'tap';
import { boundText, loadsOf } from '../../../jobs/transfer/loads.js';
import { makePlan, movesOf } from '../../../jobs/transfer/moves.js';
import { planTransfer } from '../../../jobs/transfer/plan.js';
import { givenTransfer } from './given-transfer.js';

const SIZES = [1, 2, 4, 8] as const;
const WORLD = 16;

t.test('bytes of each rank are those of its moves, for all pairs of sizes', async (t) => {
  for (const sourceTensorParallel of SIZES) {
    for (const targetTensorParallel of SIZES) {
      for (const pattern of ['pair', 'ring', 'manyToOne', 'oneToMany', 'allToAll']) {
        const spec = givenTransfer({ sourceTensorParallel, targetTensorParallel, pattern, blocks: 3 });
        const plan = makePlan(spec, WORLD);
        const bytesOf = (op: 'write' | 'read', rank: number, own: boolean): number =>
          movesOf(plan, op, rank)
            .filter(({ peer }) => own || peer !== rank)
            .reduce((sum, { bytes }) => sum + bytes, 0);
        t.same(
          loadsOf(spec, WORLD).ranks,
          Array.from({ length: WORLD }, (_, rank) => ({
            given: bytesOf('write', rank, true),
            taken: bytesOf('read', rank, true),
            leaving: bytesOf('write', rank, false),
            arriving: bytesOf('read', rank, false),
          })),
          `${sourceTensorParallel} -> ${targetTensorParallel}, ${pattern}`,
        );
      }
    }
  }
});

// By hand: a block is 16 tokens of 2 layers x 8 heads x (4 + 2) elements of 2 bytes and of 3 latent layers x 6 elements.
const BLOCK = 16 * (2 * 8 * (4 + 2) * 2 + 3 * 6 * 2);

t.test('the bound is what crosses the link of the busiest rank', async (t) => {
  const bound = (given: Parameters<typeof givenTransfer>[0], ranks: number): string =>
    boundText(loadsOf(givenTransfer({ blocks: 1, ...given }), ranks));
  t.equal(BLOCK, 3648, 'by hand');
  t.equal(bound({ pattern: 'manyToOne' }, 4), 'rank 0 receives 10.7 KiB', 'three blocks into one rank');
  t.equal(bound({ pattern: 'oneToMany' }, 3), 'rank 0 sends 7.13 KiB');
  t.equal(bound({ pattern: 'ring' }, 4), 'rank 0 sends 3.56 KiB');
  t.equal(bound({ pattern: 'ring' }, 1), 'none: all bytes stay on their ranks', 'a single rank');
  const spec = givenTransfer({ blocks: 1, pattern: 'manyToOne' });
  const plan = planTransfer(spec, { worldSize: 4, rank: 0, ranksPerNode: 4, device: 'host' });
  t.match(plan.details, { leaving_bytes: 0, arriving_bytes: 3 * BLOCK, bound: /rank 0 receives/ });
});
