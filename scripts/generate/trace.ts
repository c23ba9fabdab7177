/**
 * Writes configs/traces/conversation-small.jsonl: made-up requests in Mooncake's format with the lengths and the
 * prefix sharing that its publishers give for the conversation trace (FAST'25): input mean 12 035, median 6 909,
 * largest 126 195 tokens; output mean 343, largest 2 000; 36.6 % of the 512-token blocks seen before. No data of
 * the real trace is in it. A test holds the file equal to this.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { seededRandom, type Random } from '../../jobs/kv/random.js';
import { USUAL_BLOCK_TOKENS } from '../../jobs/kv/trace.js';
import { projectRoot } from '../../runner/project.js';

export const SMALL_TRACE_PATH = 'configs/traces/conversation-small.jsonl';
const SEED = 20250225;
const NUM_REQUESTS = 400;
const MEAN_GAP_MS = 294;
const HIT_SHARE = 0.366;

/** (share of requests, tokens): lengths between two are spread evenly in their logarithm. */
type Quantiles = readonly (readonly [number, number])[];

const INPUT_TOKENS: Quantiles = [
  [0, 891],
  [0.1, 964],
  [0.25, 2306],
  [0.5, 6909],
  [0.75, 15_368],
  [0.9, 27_367],
  [0.95, 39_552],
  [0.99, 85_401],
  [1, 126_195],
];

const OUTPUT_TOKENS: Quantiles = [
  [0, 4],
  [0.1, 24],
  [0.25, 156],
  [0.5, 350],
  [0.75, 472],
  [0.9, 597],
  [0.99, 1120],
  [1, 2000],
];

function atShare(quantiles: Quantiles, share: number): number {
  const upper = Math.max(
    1,
    quantiles.findIndex(([limit]) => limit >= share),
  );
  const [[lowShare, low] = [0, 1], [highShare, high] = [1, 1]] = [quantiles[upper - 1], quantiles[upper]];
  const part = (share - lowShare) / (highShare - lowShare);
  return Math.round(Math.exp(Math.log(low) + part * (Math.log(high) - Math.log(low))));
}

/** One length per request: the quantiles at even steps, so that few requests show the whole spread, in seeded order. */
function lengths(quantiles: Quantiles, random: Random): number[] {
  const all = Array.from({ length: NUM_REQUESTS }, (_, index) =>
    atShare(quantiles, index / (NUM_REQUESTS - 1)),
  );
  for (let place = all.length - 1; place > 0; place--) {
    const other = random.below(place + 1);
    [all[place], all[other]] = [all[other] ?? 0, all[place] ?? 0];
  }
  return all;
}

interface Conversation {
  hashIds: number[];
  /** Tokens so far: what was asked and what was answered. */
  tokens: number;
}

/** The conversation that a request of that length goes on: of a few at random, the longest that fits into it. */
function earlierTurn(
  conversations: readonly Conversation[],
  inputTokens: number,
  random: Random,
): Conversation | null {
  let best: Conversation | null = null;
  for (let draw = 0; draw < 12 && conversations.length > 0; draw++) {
    const candidate = conversations[random.below(conversations.length)];
    if (candidate === undefined || candidate.tokens >= inputTokens) continue;
    if (candidate.tokens > (best?.tokens ?? 0)) best = candidate;
  }
  return best;
}

/** The trace's text. Block 0 is the system prompt that all requests share; ids count up in order of first use. */
export function smallTrace(): string {
  const random = seededRandom(SEED);
  const inputs = lengths(INPUT_TOKENS, random);
  const outputs = lengths(OUTPUT_TOKENS, random);
  const conversations: Conversation[] = [];
  const count = { blocks: 0, hits: 0, nextId: 1 };
  let timeMs = 0;
  const lines = inputs.map((inputTokens, index) => {
    const outputTokens = outputs[index] ?? 1;
    const isBehind = count.hits < HIT_SHARE * count.blocks;
    const earlier = isBehind ? earlierTurn(conversations, inputTokens, random) : null;
    const numBlocks = Math.ceil(inputTokens / USUAL_BLOCK_TOKENS);
    // The last block of the earlier turn was not full: its content went on, so its hash is another one now.
    const whole = earlier === null ? 1 : Math.max(1, earlier.hashIds.length - 1);
    const shared = (earlier?.hashIds ?? [0]).slice(0, Math.min(numBlocks, whole));
    const fresh = Array.from({ length: numBlocks - shared.length }, () => count.nextId++);
    const hashIds = [...shared, ...fresh];
    count.blocks += numBlocks;
    count.hits += index === 0 ? 0 : shared.length;
    const conversation = earlier ?? { hashIds, tokens: 0 };
    Object.assign(conversation, { hashIds, tokens: inputTokens + outputTokens });
    if (earlier === null) conversations.push(conversation);
    const line = {
      timestamp: timeMs,
      input_length: inputTokens,
      output_length: outputTokens,
      hash_ids: hashIds,
    };
    timeMs += Math.round(-Math.log(1 - random.unit()) * MEAN_GAP_MS);
    return JSON.stringify(line);
  });
  return `${lines.join('\n')}\n`;
}

const main = process.argv[1];
if (main !== undefined && import.meta.url === pathToFileURL(main).href) {
  const path = join(projectRoot, SMALL_TRACE_PATH);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, smallTrace());
}
