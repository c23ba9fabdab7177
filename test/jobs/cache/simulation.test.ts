/**
 * The simulator against caches that are written to be read, on random traces. By default some hundreds of traces;
 * RAILRUNNER_TEST_TRACES=100000 runs as many.
 */
import t from 'tap';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Simulation, type SimulationOptions } from '../../../jobs/cache/simulation.js';
import { seededRandom } from '../../../jobs/kv/random.js';
import { openTrace } from '../../../jobs/traces/read-trace.js';
import type { TraceRequest } from '../../../jobs/traces/request.js';
import { projectRoot } from '../../../runner/project.js';
import {
  naiveArc,
  naiveBelady,
  naiveCache,
  naiveLru,
  naiveS3Fifo,
  naiveSlru,
  type NaiveRequest,
} from './naive-caches.js';

t.setTimeout(1_800_000);

const numTraces = Number(process.env['RAILRUNNER_TEST_TRACES'] ?? 300);
const BLOCK_TOKENS = 4;
const TTL_MS = 40;
const POLICIES = ['s3fifo', 'slru', 'arc', 'ttl', 'belady'] as const;

/** Requests that continue others, start over, or repeat; ids are of single blocks, so that they must be chained. */
function randomTrace(seed: number): TraceRequest[] {
  const random = seededRandom(seed);
  const numIds = 1 + random.below(8);
  const requests: TraceRequest[] = [];
  let timestampMs = 0;
  for (let count = 1 + random.below(40); count > 0; count--) {
    const from = requests[random.below(requests.length + 1)]?.hashIds ?? [];
    const shared = from.slice(0, random.below(from.length + 1));
    const fresh = Array.from({ length: random.below(5) }, () => random.below(numIds));
    const hashIds = [...shared, ...fresh];
    if (hashIds.length === 0) hashIds.push(random.below(numIds));
    timestampMs += random.below(20);
    const inputTokens = BLOCK_TOKENS * hashIds.length - random.below(BLOCK_TOKENS);
    requests.push({ timestampMs, inputTokens, outputTokens: 1, hashIds });
  }
  return requests;
}

function simulate(requests: readonly TraceRequest[], options: Partial<SimulationOptions> = {}): Simulation {
  const simulation = new Simulation({
    blockTokens: BLOCK_TOKENS,
    cachesShortBlock: true,
    warmupRequests: 0,
    policies: [],
    capacities: [],
    ttlMs: TTL_MS,
    tierBlocks: [],
    tierPolicy: 'lru',
    minUses: 1,
    ...options,
  });
  for (const request of requests) simulation.add(request);
  return simulation;
}

function asNaive(requests: readonly TraceRequest[]): NaiveRequest[] {
  return requests.map(({ hashIds, timestampMs }) => ({
    paths: hashIds.map((_, place) => hashIds.slice(0, place + 1).join('/')),
    timeMs: timestampMs,
  }));
}

function naiveTotals(requests: readonly TraceRequest[], cache: ReturnType<typeof naiveCache>) {
  const total = { hits: 0, any: 0, tokens: 0 };
  for (const [index, request] of asNaive(requests).entries()) {
    const { hits, any } = cache(request);
    total.hits += hits;
    total.any += any;
    total.tokens += Math.min(hits * BLOCK_TOKENS, requests[index]?.inputTokens ?? 0);
  }
  return total;
}

t.test(`LRU at every capacity, and every policy at one, of ${numTraces} random traces`, async (t) => {
  for (let seed = 0; seed < numTraces; seed++) {
    const requests = randomTrace(seed);
    // Now and then so many that S3-FIFO's small queue has several.
    const capacity = 1 + seededRandom(seed, 7).below(seed % 8 === 0 ? 60 : 16);
    const simulation = simulate(requests, { policies: POLICIES, capacities: [capacity] });
    const { hits, hitTokens } = simulation.lru();
    for (let size = 1; size < hits.length; size += 1 + (seed % 3)) {
      const naive = naiveTotals(requests, naiveCache(size, naiveLru()));
      if (hits[size] === naive.hits && hitTokens[size] === naive.tokens) continue;
      t.same({ seed, size, hits: hits[size], tokens: hitTokens[size] }, { seed, size, ...naive });
    }
    const naives = { s3fifo: naiveS3Fifo, slru: naiveSlru, arc: naiveArc, ttl: () => naiveLru(TTL_MS) };
    for (const { policy, ...found } of simulation.others()) {
      if (policy === 'lru') continue;
      if (policy === 'belady') {
        const bound = naiveBelady(capacity, asNaive(requests));
        if (found.hits !== bound) t.equal(found.hits, bound, `belady, seed ${seed}, capacity ${capacity}`);
        continue;
      }
      const naive = naiveTotals(requests, naiveCache(capacity, naives[policy](capacity)));
      const own = { hits: found.hits, any: found.hitsAny, tokens: found.hitTokens };
      if (JSON.stringify(own) !== JSON.stringify(naive))
        t.same({ policy, seed, ...own }, { policy, seed, ...naive });
    }
  }
  t.pass('all equal');
});

t.test('many requests: live ones are renumbered, and nothing changes', async (t) => {
  const random = seededRandom(5);
  const requests = Array.from({ length: 20_000 }, (_, index) => {
    const hashIds = [random.below(40), 100 + random.below(3)];
    return { timestampMs: index, inputTokens: 8, outputTokens: 1, hashIds };
  });
  const { hits } = simulate(requests).lru();
  for (const size of [2, 7, 50]) {
    t.equal(hits[size], naiveTotals(requests, naiveCache(size, naiveLru())).hits, `${size} blocks`);
  }
});

t.test('many different requests, and one that goes along many others', async (t) => {
  const requestOf = (hashIds: number[], timestampMs: number): TraceRequest => ({
    timestampMs,
    inputTokens: BLOCK_TOKENS * hashIds.length,
    outputTokens: 1,
    hashIds,
  });
  const random = seededRandom(6);
  // Each continues the one before by a block: the last goes along as many runs of the tree.
  const chain = Array.from({ length: 80 }, (_, last) => Array.from({ length: last + 1 }, (_, id) => id));
  const others = Array.from({ length: 2500 }, () => [random.below(30), random.below(30), random.below(30)]);
  const requests = [...chain, ...others, ...chain.slice(-3)].map(requestOf);
  const simulation = simulate(requests);
  const { hits } = simulation.lru();
  for (const size of [10, 100, 2000]) {
    t.equal(hits[size], naiveTotals(requests, naiveCache(size, naiveLru())).hits, `${size} blocks`);
  }
  const paths = asNaive(requests).flatMap(({ paths }) => paths);
  t.equal(simulation.totals().distinctBlocks, new Set(paths).size);
});

t.test('requests of the warm-up fill and do not count; short blocks may stay out', async (t) => {
  const request = { timestampMs: 0, inputTokens: 7, outputTokens: 1, hashIds: [1, 2] };
  const caches = { policies: ['arc'], capacities: [2], tierBlocks: [2] } as const;
  const warm = simulate([request, request, request], { warmupRequests: 1 });
  t.match(warm.totals(), { requests: 2, blocks: 4, tokens: 14 });
  t.strictSame([...warm.lru().hits], [0, 2, 4]);
  t.strictSame([...warm.lru().hitTokens], [0, 8, 14]);
  const warmer = simulate([request, request, request], { warmupRequests: 2, ...caches });
  t.match(warmer.others(), [{ policy: 'arc', hits: 2, hitsAny: 2, hitTokens: 7 }]);
  t.match(warmer.tierCounts(), { requests: 1, hits: [2, 0, 0], misses: 0 });
  t.match(simulate([request, request]).totals(), { meanRequestHitPct: 50, meanRequestTokenHitPct: 50 });
  const whole = simulate([request, request], { cachesShortBlock: false });
  t.match(whole.totals(), { blocks: 2, tokens: 14, distinctBlocks: 1 });
  t.strictSame([...whole.lru().hitTokens], [0, 4]);
});

const sharedTrace = join(
  process.env['RAILRUNNER_SHARED'] ?? join(projectRoot, '..', 'shared'),
  'traces',
  'conversation_trace.jsonl',
);

t.test(
  'the conversation trace: what a cache without bounds hits',
  { skip: existsSync(sharedTrace) ? false : 'needs ../shared/traces/conversation_trace.jsonl' },
  async (t) => {
    const trace = await openTrace(sharedTrace);
    const simulation = new Simulation({
      blockTokens: trace.blockTokens ?? 0,
      cachesShortBlock: true,
      warmupRequests: 0,
      policies: ['belady'],
      capacities: [1000, 10_000],
      ttlMs: 0,
      tierBlocks: [],
      tierPolicy: 'lru',
      minUses: 1,
    });
    for await (const requests of trace.requests) for (const request of requests) simulation.add(request);
    const totals = simulation.totals();
    const { hits, hitTokens } = simulation.lru();
    const percent = (part: number | undefined, whole: number): string =>
      ((100 * (part ?? 0)) / whole).toFixed(2);
    t.match(totals, { requests: 12_031, blocks: 288_500, distinctBlocks: 182_790, distinctIds: 182_790 });
    t.equal(percent(hits.at(-1), totals.blocks), '36.64');
    t.equal(percent(hitTokens.at(-1), totals.tokens), '37.36');
    t.match(
      [totals.meanRequestHitPct, totals.meanRequestTokenHitPct].map((share) => share.toFixed(2)),
      ['38.43', '40.94'],
    );
    // Figures of two other implementations of the same rule.
    t.equal(percent(hits[10_000], totals.blocks), '21.16');
    t.strictSame(
      simulation.others().map((row) => percent(row.hits, totals.blocks)),
      ['19.07', '36.64'],
    );
  },
);
