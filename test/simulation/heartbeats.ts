/** What ranks know of each other without collective calls: where each is, and who is dead. Worlds are small: the tree is a star. */
import type { RankLiveness } from '../../runner/native/types/index.js';
import { itemAt } from '../../runner/values/items.js';
import type { VirtualClock } from './clock.js';
import type { Random } from './random.js';
import type { SimulatedProcess } from './rank-context.js';

const BEAT_MS = 150;
const SAME_HOST_SILENCE_MS = 5000;
const OTHER_HOST_SILENCE_MS = 15_000;
const MOST_STAGE_BYTES = 27;

export interface Place {
  readonly stage: string;
  readonly point: number;
  readonly iteration: number;
  readonly awaitedPeer: number;
}

interface Heard {
  readonly atMs: number;
  readonly place: Place;
}

/** One rank's end of them. */
export interface Listener {
  readonly process: SimulatedProcess;
  place(): Place;
  /** Its heartbeats go on: it has not been taken down. */
  readonly beats: boolean;
  noteDead(rank: number): void;
  deadRank(): number;
}

export class Heartbeats {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #listeners: Listener[] = [];
  readonly #heard = new Map<string, Heard>();

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  join(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** When all have joined. */
  start(): void {
    for (const { process } of this.#listeners) this.#beat(process.rank, this.#random.time(0, BEAT_MS));
  }

  #beat(rank: number, inMs: number): void {
    const own = itemAt(this.#listeners, rank);
    this.#clock.after(inMs, own.process, () => {
      if (!own.beats) return;
      this.#judge(own);
      for (const peer of this.#neighboursOf(rank)) this.#send(own, itemAt(this.#listeners, peer));
      this.#beat(rank, BEAT_MS);
    });
  }

  #send(own: Listener, peer: Listener): void {
    const place = own.place();
    const deadRank = own.deadRank();
    const atMs = this.#clock.nowMs;
    this.#clock.after(this.#random.time(0.05, 10), peer.process, () => {
      this.#heard.set(`${peer.process.rank} of ${own.process.rank}`, { atMs: this.#clock.nowMs, place });
      if (own.process.rank === 0) this.#heard.set(`${peer.process.rank} of 0`, { atMs, place });
      if (deadRank >= 0 && deadRank !== peer.process.rank) peer.noteDead(deadRank);
    });
  }

  /** As Heartbeat::judge: a neighbour that was silent for too long is dead. What a held-up rank did not hear says nothing. */
  #judge(own: Listener): void {
    const { rank, host, frozenUntilMs } = own.process;
    for (const peer of this.#neighboursOf(rank)) {
      const { process } = itemAt(this.#listeners, peer);
      const heardMs = Math.max(this.#heard.get(`${rank} of ${peer}`)?.atMs ?? 0, frozenUntilMs);
      const silenceMs = process.host === host ? SAME_HOST_SILENCE_MS : OTHER_HOST_SILENCE_MS;
      if (this.#clock.nowMs - heardMs > silenceMs) own.noteDead(peer);
    }
  }

  #neighboursOf(rank: number): number[] {
    return rank === 0 ? this.#listeners.slice(1).map(({ process }) => process.rank) : [0];
  }

  /** Rank 0 knows all; others know rank 0 and themselves. */
  livenessFor(own: Listener): RankLiveness[] {
    const { rank } = own.process;
    return this.#listeners.flatMap(({ process }) => {
      if (rank !== 0 && process.rank !== 0 && process.rank !== rank) return [];
      if (process.rank === rank) return [{ rank, ...own.place(), ageMs: 0 }];
      const heard = this.#heard.get(`${rank} of ${process.rank}`);
      const place = heard?.place ?? { stage: '', point: -1, iteration: -1, awaitedPeer: -1 };
      return [{ rank: process.rank, ...place, ageMs: this.#clock.nowMs - (heard?.atMs ?? 0) }];
    });
  }
}

/** As much of a stage's name as a heartbeat carries. */
export function carriedStage(stage: string): string {
  return Buffer.from(stage).subarray(0, MOST_STAGE_BYTES).toString('utf8');
}
