/** Stage `prepare` of a transfer: the plan, this rank's pools, their content, and one open transfer per operation. */
import type { OpenPoint, PointContext } from '../../runner/job/context.js';
import { faultsAt } from '../../runner/job/measured-phase.js';
import type { Verification } from '../../runner/job/measurement.js';
import type { NativePool, NativeRankTransfer, PoolContent } from '../../runner/native/types/index.js';
import { firstOf } from '../../runner/values/items.js';
import { threadsOfRank } from '../kv/pools.js';
import type { TransferColumn } from './columns.js';
import { measureOperation } from './measure.js';
import { arrivals, makePlan, movesOf, poolBlocksOf, type Operation, type TransferPlan } from './moves.js';
import { networkPeers } from './paths.js';
import { operationsOf } from './plan.js';
import type { Point } from './point.js';
import { poolOptions, sideOf, type SideName } from './sides.js';
import type { TransferSpec } from './spec.generated.js';

const CLOSE_TIMEOUT_MS = 30_000;
/** In the last sample, whatever the number. */
const FAULTS = {
  wrongSplit: 0,
  lostPiece: 0,
  truncatedPiece: 0,
  earlyNotification: 0,
  earlyDeviceNotification: 0,
} as const;
const KEY_PREFIX = 'transfer-pool:';

export async function openTransfer(
  spec: TransferSpec,
  context: PointContext,
): Promise<OpenPoint<TransferColumn>> {
  const { rank, worldSize, nodeOfRank } = context.world.info;
  const plan = makePlan(spec, worldSize);
  const overNetwork = networkPeers(spec, rank, nodeOfRank);
  const pools = await acquirePools(context, spec, plan);
  const transfer = new OpenTransfer({ context, spec, plan, overNetwork, pools });
  await transfer.prepare();
  return transfer;
}

/** Pools of earlier points that this one does not use are freed first. */
async function acquirePools(
  context: PointContext,
  spec: TransferSpec,
  plan: TransferPlan,
): Promise<Point['pools']> {
  const { rank } = context.world.info;
  const blocks = poolBlocksOf(plan, rank);
  const wanted = (['source', 'target'] as const).map((name) => {
    const side = sideOf(spec, name);
    const place = rank % side.tensorParallel;
    const options = poolOptions(spec, side, place, blocks[name], threadsOfRank(context));
    return { name, options, key: `${KEY_PREFIX}${name}:${JSON.stringify(options)}` };
  });
  const used = wanted.filter(({ name }) => blocks[name] > 0);
  const keys = new Set(used.map(({ key }) => key));
  await context.resources.retain((key) => !key.startsWith(KEY_PREFIX) || keys.has(key));
  const pools: Record<SideName, NativePool | null> = { source: null, target: null };
  for (const { name, options, key } of used) {
    pools[name] = await context.resources.acquire(key, () => context.device.native.createPool(options));
  }
  return pools;
}

class OpenTransfer implements OpenPoint<TransferColumn> {
  readonly #point: Point;
  readonly #found: Verification[] = [];
  #open: NativeRankTransfer | null = null;

  constructor(point: Point) {
    this.#point = point;
  }

  /** Opens the first operation, so that a peer may leave between its import and the transfer. */
  async prepare(): Promise<void> {
    await this.#openOperation(firstOf(operationsOf(this.#point.spec)));
  }

  /** An operation is verified before the next one writes into the same target. */
  async measure() {
    const rows = [];
    for (const op of operationsOf(this.#point.spec)) {
      const native = this.#open ?? (await this.#openOperation(op));
      const measured = await measureOperation(this.#point, op, native, () => this.#prepare());
      rows.push(...measured.rows);
      if (measured.stopped) break;
      this.#found.push(...(await this.#check(op, measured.early)));
      this.#open = null;
      await native.close(true, this.#point.context.remainingMs());
    }
    return rows;
  }

  /** Sums of all operations: a word that one of them left wrong lets the whole point fail. */
  async verify(): Promise<Verification[]> {
    if (this.#found.length === 0) return [];
    return [
      {
        checked: this.#found.reduce((sum, { checked }) => sum + checked, 0),
        wrong: this.#found.reduce((sum, { wrong }) => sum + wrong, 0),
        firstBad: this.#found.find(({ firstBad }) => firstBad !== '')?.firstBad ?? '',
      },
    ];
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.close(false, CLOSE_TIMEOUT_MS);
  }

  async #openOperation(op: Operation): Promise<NativeRankTransfer> {
    const { context, spec, plan, overNetwork, pools } = this.#point;
    const [layerBegin = 0, layerEnd = 0] = spec.layerRange;
    await this.#prepare();
    this.#open = await context.device.native.openRankTransfer(context.world.native, {
      op,
      ...pools,
      layerBegin,
      layerEnd,
      moves: movesOf(plan, op, context.world.info.rank),
      overNetwork,
      maxConcurrentTransfers: spec.maxConcurrentTransfers,
      threads: threadsOfRank(context),
      maxCtas: spec.maxCtas,
      timeoutMs: context.remainingMs(),
      networkMemory: spec.networkMemory,
      bounceBytes: spec.bounceBytes,
      demandedTransports: (spec.networkTransport ?? []).join(','),
      faults: faultsAt(context, FAULTS),
    });
    return this.#open;
  }

  /** The source holds its instance's model, its heads of every page; the target nothing. */
  async #prepare(): Promise<void> {
    const { pools } = this.#point;
    await pools.source?.prepare(this.#content('source'));
    await pools.target?.prepare(this.#content('target'));
  }

  #content(name: SideName): PoolContent {
    const { context, spec } = this.#point;
    const owner = Math.floor(context.world.info.rank / sideOf(spec, name).tensorParallel);
    const filled = name === 'source' ? null : new Int32Array();
    return { seed: spec.seed, owner, poisonSalt: spec.seed, filled };
  }

  async #check(op: Operation, early: string): Promise<Verification[]> {
    const { context, spec, plan, pools } = this.#point;
    if (spec.verify === 'off') return [];
    const sampled = spec.verify === 'sample';
    const found: Verification[] = [];
    for (const name of ['source', 'target'] as const) {
      const moved = name === 'target' ? arrivals(plan, context.world.info.rank) : [];
      const checked = await pools[name]?.check(this.#content(name), moved, sampled);
      if (checked !== undefined) found.push(checked);
    }
    if (early !== '') {
      found.push({ checked: 1, wrong: 1, firstBad: `a notification was seen before its data: ${early}` });
    }
    if (found.length === 0) return [{ checked: 0, wrong: 0, firstBad: '' }];
    return found.map((each) => ({
      ...each,
      firstBad: each.firstBad === '' ? '' : `${op}: ${each.firstBad}`,
    }));
  }
}
