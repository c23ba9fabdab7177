/** The exchange under every agreement of the ranks: all come and tell a value, or the world is lost and says who is missing. */
import { RunnerError, toRunnerError, type ErrorCode } from '../errors.js';
import type { RankLiveness } from '../native/types/index.js';
import { MpiStuck } from './watch.js';
import type { World } from './world.js';

/** A rank that did not reach an agreement, as far as this rank knows it from heartbeats. */
export interface MissingRank {
  readonly rank: number;
  readonly stage: string;
  readonly point: number;
  readonly iteration: number;
  readonly awaitedPeer: number;
  readonly ageMs: number;
}

interface Lost {
  readonly step: string;
  readonly missing: readonly MissingRank[];
  readonly deadRank: number;
}

/** The ranks could not agree: the world is lost and the run ends. */
export class AgreementLost extends RunnerError {
  readonly step: string;
  /** By heartbeats: rank 0 hears all ranks, the others hear only rank 0. */
  readonly missing: readonly MissingRank[];
  /** The rank that the run ends for, where one is known: the first missing, or a dead one. */
  readonly hungRank: number | undefined;
  readonly hungStage: string;

  constructor(code: ErrorCode, message: string, lost: Lost, cause: unknown) {
    super(code, message, { cause });
    this.step = lost.step;
    this.missing = lost.missing;
    const [first] = lost.missing;
    this.hungRank = first?.rank ?? (lost.deadRank >= 0 ? lost.deadRank : undefined);
    this.hungStage = (first?.stage ?? '').replace(WAITING, '');
  }
}

/** Marks the stage of a rank that has reached an agreement; fits the 27 bytes that a heartbeat carries. */
const WAITING = ' (waits)';
const MAX_STAGE = 27 - WAITING.length;

export interface AgreeOptions {
  readonly timeoutMs: number;
  /** Of the heartbeats while this rank waits: what it is in. */
  readonly stage: string;
  readonly point: number;
}

/**
 * Collective: every rank's value, by rank, or AgreementLost where a rank does not come: E_STUCK at the deadline,
 * E_PEER_DEAD where its heartbeats stopped, E_WORLD_LOST where MPI failed.
 */
export async function exchange<T>(world: World, step: string, value: T, options: AgreeOptions): Promise<T[]> {
  const stage = options.stage.slice(0, MAX_STAGE);
  world.native.report(stage + WAITING, options.point);
  try {
    const values = await world.allgatherJson<T>(value, options.timeoutMs);
    world.native.report(stage, options.point);
    return values;
  } catch (cause) {
    throw lostAgreement(world, step, options, toRunnerError(cause, 'E_WORLD_LOST'));
  }
}

function describeMissing(rank: MissingRank): string {
  const parts = [`rank ${rank.rank} is in ${rank.stage || 'an unknown stage'}`];
  if (rank.point >= 0) parts.push(`point ${rank.point}`);
  if (rank.iteration >= 0) parts.push(`iteration ${rank.iteration}`);
  if (rank.awaitedPeer >= 0) parts.push(`waiting for rank ${rank.awaitedPeer}`);
  parts.push(`last heard of ${(rank.ageMs / 1000).toFixed(1)} s ago`);
  return parts.join(', ');
}

/** Those that this rank hears, but not waiting at this point. */
export function missingRanks(
  liveness: readonly RankLiveness[],
  ownRank: number,
  point: number,
): MissingRank[] {
  return liveness.filter(
    (entry) => entry.rank !== ownRank && !(entry.stage.endsWith(WAITING) && entry.point === point),
  );
}

/** Where `rank` was when it was last heard of; empty where this rank hears nothing of it. */
export function stageOf(world: World, rank: number): string {
  const heard = world.native.liveness().find((entry) => entry.rank === rank);
  return (heard?.stage ?? '').replace(WAITING, '');
}

function lostAgreement(world: World, step: string, options: AgreeOptions, cause: RunnerError): AgreementLost {
  const deadRank = world.native.deadRank();
  const liveness = world.native.liveness();
  if (cause instanceof MpiStuck) {
    // This rank hears nobody: what it knows of the others is old, and says nothing against them.
    const missing = liveness.filter(({ rank }) => rank === world.info.rank);
    const message = `agreement on "${step}": ${cause.message}`;
    return new AgreementLost('E_STUCK', message, { step, missing, deadRank: -1 }, cause);
  }
  // The others miss the agreement because of the dead rank, or are about to reach it: only the dead one is named.
  const missing =
    deadRank >= 0
      ? liveness.filter(({ rank }) => rank === deadRank)
      : missingRanks(liveness, world.info.rank, options.point);
  // What is asked for in a world that is lost already fails with E_WORLD_LOST: the death is the reason.
  const code = deadRank >= 0 ? 'E_PEER_DEAD' : cause.code === 'E_TIMEOUT' ? 'E_STUCK' : cause.code;
  const seconds = (options.timeoutMs / 1000).toFixed(1);
  const what = code === 'E_STUCK' ? `not all ranks came within ${seconds} s` : cause.message;
  const who =
    missing.length > 0
      ? `: ${missing.map(describeMissing).join('; ')}`
      : ': rank 0 names those that are missing';
  const message = `agreement on "${step}": ${what.replace(/\.$/, '')}${code === 'E_STUCK' || missing.length > 0 ? who : ''}`;
  return new AgreementLost(code, message, { step, missing, deadRank }, cause);
}
