/** The fast routing and the fast count of what it moves are those of the plain ones, bit for bit. */
import { join } from 'node:path';
import t from 'tap';
import { forwardingNodes, nodesInBlocks } from '../../../jobs/dispatch-combine/bytes/nodes.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { trafficOf } from '../../../jobs/dispatch-combine/bytes/traffic.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { makeRouting } from '../../../jobs/dispatch-combine/routing/routing.js';
import { makePlainRouting } from '../../../scripts/bench/plain-routing.js';
import { moeSpec } from './moe-points.js';
import { plainTrafficOf } from './plain-traffic.js';

type Job = Readonly<Record<string, unknown>>;
const folder = t.testdir({
  'load.csv': `layer_id,expert_id,count\n${Array.from({ length: 30 }, (_, e) => `0,${e},${(e * e) % 17}`).join('\n')}\n`,
  'ids.jsonl': '[0,1,2,3]\n{"topk_ids":[4,5,-1,7]}\n[8,9,10,11]\n',
});

const SHAPE = { numExperts: 32, numTopk: 4, numTokens: [40, 0, 31, 40], maxDispatchTokensPerRank: 64 };
const ROUTINGS: readonly Job[] = [
  { kind: 'uniform' },
  { kind: 'uniform', maskedFraction: 0.3 },
  { kind: 'zipf', exponent: 1.2 },
  { kind: 'zipf', exponent: 0.01 },
  { kind: 'powerLaw' },
  { kind: 'kHot', hotExperts: 2, hotFraction: 0.9 },
  { kind: 'kHot', hotExperts: 32, hotFraction: 1 },
  { kind: 'groupLimited' },
  { kind: 'groupLimited', numGroups: 32, topkGroups: 9 },
  { kind: 'groupLimited', numGroups: 1, topkGroups: 1, maskedFraction: 0.5 },
  { kind: 'file', path: join(folder, 'load.csv') },
  { kind: 'file', path: join(folder, 'ids.jsonl') },
];
/** As large as numbers get: every expert chosen, one choice, more groups than an insertion keeps. */
const SHAPES: readonly Job[] = [
  { numTopk: 32, routing: { kind: 'zipf', exponent: 2 } },
  { numTopk: 1, numExperts: 4, routing: { kind: 'uniform' } },
  { numExperts: 1024, numTopk: 8, routing: { kind: 'groupLimited', numGroups: 256, topkGroups: 100 } },
  { numExperts: 4096, numTopk: 32, routing: { kind: 'zipf', exponent: 0.5 } },
];

const SPECS: readonly MoeSpec[] = [...ROUTINGS.map((routing) => ({ routing })), ...SHAPES].map((job, index) =>
  moeSpec({ ...SHAPE, ...job, seed: 1 + index * 2 ** 33 }),
);

for (const spec of SPECS) {
  const { numExperts, numTopk, routing } = spec;
  t.test(`${numTopk} of ${numExperts}, ${JSON.stringify(routing)}`, async (t) => {
    const made = makeRouting(spec, 4);
    t.same(made, makePlainRouting(spec, 4));
    for (const dedup of ['on', 'off', 'node'] as const) {
      const other = { ...spec, dedup };
      const nodes = forwardingNodes(other, nodesInBlocks(4, 2), 'host');
      const counts = countRouting(other, made, nodesInBlocks(4, 2));
      for (const rank of [0, 1, 2, 3]) {
        const traffic = trafficOf(other, counts, rank, nodes);
        t.same(traffic, plainTrafficOf(other, made, rank, nodes), `dedup ${dedup}, rank ${rank}`);
      }
    }
  });
}

/** Rows of earlier runs carry these: a routing of one spec stays what it was. */
const RECORDED: readonly [Job, string][] = [
  [{ routing: { kind: 'uniform' } }, '6647e7095f709414d107c3022850f369af3d1c1556891ad994914613f8125dde'],
  [
    { routing: { kind: 'uniform', maskedFraction: 0.3 } },
    'ae2677edf45f5ef30e39c2cbc2db66777a33c98d12c040c7dfa452e9af4fef5f',
  ],
  [
    { routing: { kind: 'zipf', exponent: 1.2 } },
    'b5764257d3fedafd6591b1be25bbbf5a3b7b4e826551bb2ff65e5546fce7525c',
  ],
  [{ routing: { kind: 'powerLaw' } }, 'dfd855b6c45e60dc511deadc29bd9df1cd2e5822f98a94861c8346c77bce372e'],
  [
    { routing: { kind: 'kHot', hotExperts: 2, hotFraction: 0.9 } },
    '9ccdafa06563b2abd63dbac18edfb0f34c10663db411b8755fbaccdbae174715',
  ],
  [{ routing: { kind: 'groupLimited' } }, '6e35d8ca24924afb95587a26db78779c4c0e758e93ea09c5b029216085dec756'],
];

t.test('routing digests are those that earlier versions wrote into their rows', async (t) => {
  for (const [job, digest] of RECORDED) {
    t.equal(makeRouting(moeSpec({ ...SHAPE, seed: 7, ...job }), 4).digest, digest, JSON.stringify(job));
  }
});
