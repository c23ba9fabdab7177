/** Stage `measure` of a replay: window by window, rank 0 decides and every rank does it. */
import { decodeMessage } from '../../runner/values/rank-message.js';
import { lastOf, numberAt, valueOf } from '../../runner/values/items.js';
import { RunnerError } from '../../runner/errors.js';
import type { Measurement } from '../../runner/job/measurement.js';
import type { Tier } from '../../runner/native/types/index.js';
import type { ReplayColumn } from './columns.js';
import { Decisions } from './decisions.js';
import { LEADER, type Opened } from './opened.js';
import { plantFaults } from './plant-faults.js';
import { rowsOf } from './rows.js';
import { slotBytes } from './plan.js';
import { directionsOf, holdsTier } from './tiers.js';
import { decodeWindow, encodeWindow, type ReplayWindow } from './window.js';

interface FailedSlot {
  readonly tier: Tier;
  readonly slot: number;
}

export async function measureReplay(opened: Opened): Promise<Measurement<ReplayColumn>[]> {
  const { context, spec, served, totals } = opened;
  const isLeader = context.world.info.rank === LEADER;
  const decisions = isLeader ? await Decisions.open(spec, opened.tracePath, totals.requests) : null;
  try {
    for (let isLast = false; !isLast;) isLast = await serveWindow(opened, decisions);
  } finally {
    await decisions?.close();
  }
  if (!served.stopped) requireDecided(opened);
  const facts = await opened.replay.facts();
  if (served.failedBlocks > 0) {
    const { failedBlocks, firstFailure } = served;
    context.log.warn(
      { failedBlocks, firstFailure },
      'copies failed; what they were to bring was computed instead',
    );
  }
  return rowsOf(spec, served, { ...facts, peaks: opened.peaks, setupUs: opened.setupUs });
}

const nowUs = (): number => performance.now() * 1e3;

/** True: no window follows, by the trace or because of a stop. */
async function serveWindow(opened: Opened, decisions: Decisions | null): Promise<boolean> {
  const { context, replay, held, served, totals } = opened;
  const beganUs = nowUs();
  let decidedUs = beganUs;
  const encoded = await context.onAllRanks('deciding what requests do', async () => {
    if (decisions === null) return null;
    const window = encodeWindow(await decisions.window());
    decidedUs = nowUs();
    return window;
  });
  // Between the two the ranks wait for each other, which is not the leader's work.
  const metUs = nowUs();
  const bytes = await context.world.native.broadcast(encoded, LEADER, context.meetingMs());
  const window = decodeWindow(bytes);
  const leaderUs = decisions === null ? 0 : decidedUs - beganUs + (nowUs() - metUs);
  const result = await replay.run(await plantFaults(opened, window));
  held.add(window);
  served.add(window, result, leaderUs);
  if (result.stopped) return true;
  await forgetFailed(opened, decisions, result.failedSlots);
  context.progress(window.firstRequest + window.dueUs.length, totals.requests, 'requests');
  return window.isLast;
}

/** Where a copy failed on any rank, the block leaves its tier on all of them: some shards of a block are of no use. */
async function forgetFailed(
  { context }: Opened,
  decisions: Decisions | null,
  own: readonly FailedSlot[],
): Promise<void> {
  if (!(await context.onAnyRank('did a copy fail', own.length > 0))) return;
  const words = await context.wordsOfAll('which copies failed', JSON.stringify(own));
  const all = words.map((word, rank) => decodeMessage<readonly FailedSlot[]>(Buffer.from(word), rank));
  for (const { tier, slot } of all.flat()) decisions?.forget(tier, slot);
}

/** What was done is what the cache counted, to the block and byte; with failed copies it cannot be. */
function requireDecided({ context, spec, served }: Opened): void {
  if (served.failedBlocks > 0) return;
  const { cache } = lastOf(served.windows);
  const { rank } = context.world.info;
  const expected: ReadonlyMap<string, number> = new Map([
    ['host->device', numberAt(cache.loads, 1)],
    ['disk->device', numberAt(cache.loads, 2)],
    ['device->host', numberAt(cache.offloads, 1)],
    ['device->disk', numberAt(cache.offloads, 2)],
    ['host->disk', numberAt(cache.offloads, 2)],
  ]);
  const counts: [string, number, number][] = [
    ['hits and fills', served.hits + served.fills, deviceHitsAndFills(cache)],
  ];
  for (const { name, from, to } of directionsOf(spec)) {
    // A shared load arrives on every rank; the other copies are the root's.
    const takesPart = holdsTier(spec, to, rank) && (to === 'device' || holdsTier(spec, from, rank));
    const slots = takesPart ? valueOf(expected, name) : 0;
    const done = valueOf(served.directions, name);
    counts.push([`blocks copied ${name}`, done.slots, slots]);
    counts.push([`bytes copied ${name}`, done.bytes.payload, slots * slotBytes(spec)]);
  }
  for (const [what, received, decided] of counts) {
    if (received === decided) continue;
    throw new RunnerError(
      'E_WRONG_DATA',
      `replay: ${what}: expected ${decided}, as decided, received ${received}`,
    );
  }
}

/** Blocks that the device had, and those that were computed into it; what lay behind a gap in the device was not looked at. */
function deviceHitsAndFills(cache: ReplayWindow['cache']): number {
  return (cache.hits[0] ?? 0) + cache.misses - cache.unkept - cache.deviceBeyondGap;
}
