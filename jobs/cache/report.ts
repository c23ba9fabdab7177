/** What `railrunner simulate` prints. Every hit rate carries its definition. */
import { stringify } from 'csv-stringify/sync';
import { RunnerError } from '../../runner/errors.js';
import type { SimulationQuestion } from '../../runner/job/simulation.js';
import { openTrace, type Trace } from '../traces/read-trace.js';
import { POLICY_NAMES, type PolicyName } from './policy.js';
import { tierLines, tierNotes, tierRows, type TierRow } from './tier-report.js';
import { Simulation, type PolicyHits, type SimulationTotals } from './simulation.js';
import { textTable } from '../../runner/text/table.js';
import { isOneOf } from '../../runner/values/items.js';

const DEFAULT_TTL_SECONDS = 300;
const NUMBERS = ['blocks', 'hits', '% of blocks', '% of tokens', '% any'];

interface Row extends PolicyHits {
  readonly hitPct: number;
  readonly hitAnyPct: number;
  readonly tokenHitPct: number;
}

interface Answer {
  readonly trace: string;
  readonly format: string;
  readonly blockTokens: number | null;
  readonly badLines: number;
  readonly totals: SimulationTotals;
  readonly definition: { readonly shortBlock: string; readonly start: string };
  readonly rows: readonly Row[];
  /** Empty: not asked. */
  readonly tiers: readonly TierRow[];
  readonly tierNotes: readonly string[];
}

export async function simulateTrace(question: SimulationQuestion): Promise<string> {
  const policies = policiesOf(question.policies);
  const trace = await openTrace(question.trace, {
    blockTokens: question.blockTokens ?? undefined,
    skip: question.skip,
    limit: question.limit ?? Infinity,
    onBadLine: question.onBadLine,
  });
  const others = policies.filter((policy) => policy !== 'lru');
  if (others.length > 0 && question.capacities.length === 0) {
    throw new RunnerError(
      'E_USAGE',
      `--policy ${others.join(' ')}: expected --capacity with it, received none; only LRU is known at every capacity at once`,
    );
  }
  const simulation = new Simulation({
    blockTokens: trace.blockTokens ?? 0,
    cachesShortBlock: question.shortBlock === 'cached',
    warmupRequests: question.warmupRequests,
    policies: others,
    capacities: question.capacities,
    ttlMs: 1000 * (question.ttlSeconds ?? DEFAULT_TTL_SECONDS),
    tierBlocks: question.tierBlocks,
    tierPolicy: tierPolicyOf(question.tierPolicy),
    minUses: question.minUses,
  });
  for await (const requests of trace.requests) for (const request of requests) simulation.add(request);
  const answer = answerOf(question, trace, simulation);
  if (question.format === 'json') return `${JSON.stringify(answer, null, 2)}\n`;
  return question.format === 'csv' ? asCsv(answer) : asTable(answer);
}

function policiesOf(names: readonly string[]): (PolicyName | 'belady')[] {
  const known = [...POLICY_NAMES, 'belady'] as const;
  return [...new Set(names)].map((name) => {
    if (isOneOf(known, name)) return name;
    throw new RunnerError('E_USAGE', `--policy ${name}: expected ${known.join(', ')}`);
  });
}

function tierPolicyOf(name: string): PolicyName {
  const known = POLICY_NAMES.find((policy) => policy === name);
  if (known !== undefined) return known;
  throw new RunnerError('E_USAGE', `--tier-policy ${name}: expected ${POLICY_NAMES.join(', ')}`);
}

function answerOf(question: SimulationQuestion, trace: Trace, simulation: Simulation): Answer {
  const totals = simulation.totals();
  const { warmupRequests } = question;
  const lru = simulation.lru();
  const largest = lru.hits.length - 1;
  const lruRow = (capacityBlocks: number | null): PolicyHits => {
    const at = Math.min(capacityBlocks ?? largest, largest);
    const hits = lru.hits[at] ?? 0;
    return { policy: 'lru', capacityBlocks, hits, hitsAny: hits, hitTokens: lru.hitTokens[at] ?? 0 };
  };
  const capacities =
    question.capacities.length > 0
      ? question.capacities
      : question.allCapacities
        ? changes(lru.hits)
        : series(largest);
  const found = [...capacities.map(lruRow), ...simulation.others(), lruRow(null)];
  return {
    trace: question.trace,
    format: trace.format.name,
    blockTokens: trace.blockTokens,
    badLines: trace.badLines.count,
    totals,
    definition: {
      shortBlock: question.shortBlock,
      start: warmupRequests === 0 ? 'cold' : `warm: ${warmupRequests} requests before`,
    },
    rows: found.map((row) => ({
      ...row,
      hitPct: percent(row.hits, totals.blocks),
      hitAnyPct: percent(row.hitsAny, totals.blocks),
      tokenHitPct: percent(row.hitTokens, totals.tokens),
    })),
    tiers: tierRows(simulation.tierCounts(), question),
    tierNotes: tierNotes(simulation.tierCounts()),
  };
}

/** Of nothing, nothing. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}

/** 1, 2, 5, 10, 20, ... below `largest`. */
function series(largest: number): number[] {
  const found: number[] = [];
  for (let power = 1; power < largest; power *= 10) {
    found.push(...[1, 2, 5].map((step) => step * power).filter((capacity) => capacity < largest));
  }
  return found;
}

function changes(hits: Float64Array): number[] {
  const found: number[] = [];
  for (let capacity = 1; capacity < hits.length; capacity++) {
    if (hits[capacity] !== hits[capacity - 1]) found.push(capacity);
  }
  return found;
}

function asCsv({ totals, definition, rows, ...of }: Answer): string {
  const records = rows.map(({ policy, capacityBlocks, hits, hitsAny, hitTokens, ...shares }) => ({
    trace: of.trace,
    format: of.format,
    block_tokens: of.blockTokens ?? '',
    short_block: definition.shortBlock,
    start: definition.start,
    policy,
    capacity_blocks: capacityBlocks ?? 'unbounded',
    requests: totals.requests,
    blocks: totals.blocks,
    tokens: totals.tokens,
    prefix_hits: hits,
    any_hits: hitsAny,
    hit_tokens: hitTokens,
    prefix_hit_pct: shares.hitPct.toFixed(4),
    any_hit_pct: shares.hitAnyPct.toFixed(4),
    token_hit_pct: shares.tokenHitPct.toFixed(4),
    mean_request_hit_pct: capacityBlocks === null ? totals.meanRequestHitPct.toFixed(4) : '',
    mean_request_token_hit_pct: capacityBlocks === null ? totals.meanRequestTokenHitPct.toFixed(4) : '',
  }));
  return stringify(records, { header: true });
}

function asTable({
  trace,
  format,
  blockTokens,
  badLines,
  totals,
  definition,
  rows,
  tiers,
  tierNotes: notes,
}: Answer): string {
  const count = (value: number): string => value.toLocaleString('en-US');
  const head = `${trace} (${format}): ${count(totals.requests)} requests, ${count(totals.tokens)} input tokens`;
  const bad = badLines === 0 ? [] : [`${count(badLines)} invalid lines were skipped.`];
  if (blockTokens === null) {
    const none = `A trace of format ${format} names no blocks, so reuse cannot be seen and no cache hits.`;
    return [head, none, ...bad, ''].join('\n');
  }
  const chained =
    totals.distinctBlocks > totals.distinctIds
      ? [
          `${count(totals.distinctIds)} ids stand for ${count(totals.distinctBlocks)} prefix blocks: some ids follow different prefixes, so ids were chained.`,
        ]
      : [];
  const lines = rows.map((row) => {
    const capacity = row.capacityBlocks === null ? 'unbounded' : count(row.capacityBlocks);
    const shares = [row.hitPct, row.tokenHitPct, row.hitAnyPct].map((share) => share.toFixed(2));
    return [row.policy, capacity, count(row.hits), ...shares];
  });
  return [
    head,
    `${count(totals.blocks)} blocks of ${blockTokens} tokens, ${count(totals.distinctBlocks)} of them distinct; short last blocks ${definition.shortBlock}; ${definition.start} start`,
    ...chained,
    ...bad,
    textTable(['policy', ...NUMBERS], lines, { rightAligned: NUMBERS }),
    ...tierLines(tiers, notes),
    `Unbounded, as the mean over requests: ${totals.meanRequestHitPct.toFixed(2)} % of blocks and ${totals.meanRequestTokenHitPct.toFixed(2)} % of tokens hit.`,
    'A hit is a block found with all blocks before it in its request; % any also counts blocks after a gap.',
    '',
  ].join('\n');
}
