/** Routing: legal for every kind, a function of the seed, shaped as its kind says. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Nearest } from '../../../jobs/dispatch-combine/routing/nearest.js';
import { makeRouting, type Routing } from '../../../jobs/dispatch-combine/routing/routing.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { moeSpec } from './moe-points.js';

const WORLD = 4;
const TOKENS = { numTokens: 128, maxDispatchTokensPerRank: 128, numExperts: 64, numTopk: 8 };

function loadsOf(spec: MoeSpec, routing: Routing): number[] {
  const loads = Array.from({ length: spec.numExperts }, () => 0);
  for (const { topkIdx } of routing.ranks)
    for (const id of topkIdx) if (id >= 0) loads[id] = (loads[id] ?? 0) + 1;
  return loads;
}

const KINDS: readonly Readonly<Record<string, unknown>>[] = [
  { kind: 'uniform' },
  { kind: 'zipf', exponent: 1.2 },
  { kind: 'powerLaw' },
  { kind: 'kHot', hotExperts: 2, hotFraction: 0.9 },
  { kind: 'groupLimited' },
];

for (const routing of KINDS) {
  t.test(`${String(routing['kind'])}: legal, whole, and a function of the seed`, async (t) => {
    const spec = moeSpec({ ...TOKENS, routing });
    const made = makeRouting(spec, WORLD);
    for (const { numTokens, topkIdx, topkWeights } of made.ranks) {
      t.equal(topkIdx.length, numTokens * spec.numTopk);
      t.ok(topkIdx.every((id) => id >= 0 && id < spec.numExperts));
      for (let token = 0; token < numTokens; token++) {
        const ids = topkIdx.subarray(token * spec.numTopk, (token + 1) * spec.numTopk);
        if (new Set(ids).size !== spec.numTopk) t.fail(`token ${token} chose an expert twice: ${ids}`);
      }
      t.ok(topkWeights.every((weight) => weight > 0 && weight < 1));
    }
    t.equal(
      loadsOf(spec, made).reduce((a, b) => a + b, 0),
      WORLD * 128 * spec.numTopk,
    );
    t.equal(makeRouting(spec, WORLD).digest, made.digest, 'made again it is the same');
    t.not(makeRouting({ ...spec, seed: spec.seed + 1 }, WORLD).digest, made.digest, 'another seed');
    t.not(makeRouting({ ...spec, seed: spec.seed + 2 ** 40 }, WORLD).digest, made.digest, 'high bits count');
  });
}

t.test('skew is what the kind promises', async (t) => {
  const top = (routing: Readonly<Record<string, unknown>>): number[] => {
    const spec = moeSpec({ ...TOKENS, routing });
    return loadsOf(spec, makeRouting(spec, WORLD)).sort((a, b) => b - a);
  };
  const mean = (WORLD * 128 * 8) / 64;
  t.ok((top({ kind: 'uniform' })[0] ?? 0) < 1.6 * mean, 'uniform has no hot expert');
  t.ok((top({ kind: 'zipf', exponent: 1.2 })[0] ?? 0) > 4 * mean, 'zipf has');
  const hot = top({ kind: 'kHot', hotExperts: 2, hotFraction: 0.9 });
  t.ok((hot[1] ?? 0) > 0.9 * WORLD * 128, 'nearly every token takes both hot experts');
  t.ok((hot[2] ?? 0) < 1.6 * mean, 'and the third is as the others');
});

t.test('powerLaw: the most loaded rank is rank 0, no expert has more rows than tokens', async (t) => {
  for (const seed of [1, 2, 3, 4]) {
    const spec = moeSpec({ ...TOKENS, seed, routing: { kind: 'powerLaw', alpha: 1.2 } });
    const loads = loadsOf(spec, makeRouting(spec, WORLD));
    const ranks = [0, 1, 2, 3].map((rank) =>
      loads.slice(rank * 16, (rank + 1) * 16).reduce((a, b) => a + b, 0),
    );
    t.equal(ranks.indexOf(Math.max(...ranks)), 0, `${ranks.join(' ')}`);
    t.ok(loads.every((load) => load <= WORLD * 128));
  }
});

t.test('powerLaw: an exponent of exactly 1 is the limit of those around it', async (t) => {
  const loads = (alpha: number): number[] => {
    const spec = moeSpec({ ...TOKENS, routing: { kind: 'powerLaw', alpha } });
    return loadsOf(spec, makeRouting(spec, WORLD));
  };
  const [below, exact, above] = [loads(1 - 1e-6), loads(1), loads(1 + 1e-6)];
  t.same(exact, below);
  t.same(exact, above);
  t.not(Math.max(...exact), Math.max(...loads(1.5)));
});

t.test('equal keys stay in the order in which they came, few or many', async (t) => {
  for (const count of [3, 70]) {
    const nearest = new Nearest(count, 100);
    const keys = Array.from({ length: 100 }, (_, id) => (id * 7) % 5);
    keys.forEach((key, id) => nearest.offer(key, id));
    const kept = new Int32Array(count);
    nearest.copyTo(kept, 0);
    const sorted = [...keys.keys()].toSorted((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || a - b);
    t.same([...kept], sorted.slice(0, count), `${count} of 100`);
  }
});

t.test('groupLimited: a token stays in topkGroups groups', async (t) => {
  const spec = moeSpec({ ...TOKENS, routing: { kind: 'groupLimited', numGroups: 8, topkGroups: 2 } });
  for (const { topkIdx, numTokens } of makeRouting(spec, WORLD).ranks) {
    for (let token = 0; token < numTokens; token++) {
      const ids = [...topkIdx.subarray(token * 8, (token + 1) * 8)];
      if (new Set(ids.map((id) => Math.floor(id / 8))).size > 2) t.fail(`token ${token}: ${ids.join()}`);
    }
  }
});

t.test('masked choices are -1, in about that share', async (t) => {
  const spec = moeSpec({ ...TOKENS, routing: { kind: 'uniform', maskedFraction: 0.25 } });
  const ids = makeRouting(spec, WORLD).ranks.flatMap(({ topkIdx }) => [...topkIdx]);
  const share = ids.filter((id) => id === -1).length / ids.length;
  t.ok(share > 0.2 && share < 0.3, `${share}`);
});

t.test('files: counts weigh, ids are taken token by token over the ranks', async (t) => {
  const folder = t.testdir();
  const counts = join(folder, 'load.csv');
  writeFileSync(counts, 'layer_id,expert_id,count\n0,0,1\n1,3,1000\n1,5,1\n1,6,1\n1,7,1\n1,9,1\n');
  const weighted = moeSpec({ routing: { kind: 'file', path: counts, layer: 1 } });
  const chosen = new Set(makeRouting(weighted, 2).ranks.flatMap(({ topkIdx }) => [...topkIdx]));
  t.same(
    [...chosen].sort((a, b) => a - b),
    [3, 5, 6, 7, 9],
    'experts of only that layer',
  );
  const ids = join(folder, 'ids.jsonl');
  writeFileSync(ids, '[0,1,2,3]\n{"topk_ids":[4,5,-1,7]}\n[8,9,10,11]\n');
  const given = moeSpec({ numTokens: [2, 2], routing: { kind: 'file', path: ids } });
  const [first, second] = makeRouting(given, 2).ranks;
  t.same([...(first?.topkIdx ?? [])], [0, 1, 2, 3, 4, 5, -1, 7]);
  t.same([...(second?.topkIdx ?? [])], [8, 9, 10, 11, 0, 1, 2, 3]);
  writeFileSync(ids, '[0,1,2,4]\n');
  t.throws(() => makeRouting(given, 2), { code: 'E_IO', message: /expected sha256/ }, 'changed since');
});
