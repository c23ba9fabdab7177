/**
 * The collective calls of all ranks on the control plane, with the semantics of native/world: each rank's calls go one after
 * the other, in the order asked for; a call is matched with the other ranks' by its place in that order; it ends on each rank
 * at a time of its own, as early as MPI allows; one that passes its deadline loses that rank's world.
 */
import type { SimulatedProcess } from './rank-context.js';

export type CallKind = 'broadcast' | 'allgather' | 'gather' | 'alltoall' | 'barrier' | 'renewal' | 'finalize';

/** One call of one rank. */
export interface Call {
  readonly kind: CallKind;
  /** -1 where there is none. */
  readonly root: number;
  readonly data: unknown;
  readonly deadlineMs: number;
  readonly resolve: (all: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
}

/** What all ranks make together. */
interface Round {
  readonly kind: CallKind;
  readonly root: number;
  readonly arrived: Map<number, unknown>;
  /** By rank: what to do when it may have become possible to end. */
  readonly waiting: Map<number, () => void>;
}

export class Rounds {
  readonly worldSize: number;
  readonly #rounds: Round[] = [];
  readonly #violate: (what: string) => void;

  constructor(worldSize: number, violate: (what: string) => void) {
    this.worldSize = worldSize;
    this.#violate = violate;
  }

  /** Of the rank's `at`-th call. `onPossible` runs once, when MPI would allow the call to end on that rank. */
  arrive(at: number, process: SimulatedProcess, call: Call, onPossible: () => void): void {
    const round = (this.#rounds[at] ??= {
      kind: call.kind,
      root: call.root,
      arrived: new Map(),
      waiting: new Map(),
    });
    if (round.kind !== call.kind || round.root !== call.root) {
      const others = [...round.arrived.keys()].join(', ');
      this.#violate(
        `${process.name} makes a ${call.kind} where ranks ${others} make a ${round.kind}: MPI would hang or mix them up`,
      );
      return;
    }
    round.arrived.set(process.rank, call.data);
    round.waiting.set(process.rank, onPossible);
    for (const [rank, possible] of round.waiting) {
      if (!this.#canEnd(round, rank)) continue;
      round.waiting.delete(rank);
      possible();
    }
  }

  resultOf(at: number): readonly unknown[] {
    const round = this.#rounds[at];
    return Array.from({ length: this.worldSize }, (_, rank) => round?.arrived.get(rank));
  }

  #canEnd({ kind, root, arrived }: Round, rank: number): boolean {
    // A root that sends does not wait for those who receive, nor a sender for its root.
    if (kind === 'broadcast') return arrived.has(root);
    if (kind === 'gather' && rank !== root) return true;
    return arrived.size === this.worldSize;
  }
}
