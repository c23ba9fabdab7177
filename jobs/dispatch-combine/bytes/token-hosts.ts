/** The ranks that host the experts of one token, token after token without an allocation. */
import { usesDedup, type MoeSpec } from '../moe-spec.js';

export class TokenHosts {
  readonly #numTopk: number;
  readonly #numLocal: number;
  readonly #isDeduped: boolean;
  readonly #hosts: Int32Array;
  #held = 0;
  /** Choices of the token that are not -1. */
  choices = 0;

  constructor(spec: MoeSpec, worldSize: number) {
    this.#numTopk = spec.numTopk;
    this.#numLocal = spec.numExperts / worldSize;
    this.#isDeduped = usesDedup(spec);
    this.#hosts = new Int32Array(spec.numTopk);
  }

  /** Takes the hosts of that token of [numTokens, numTopk] ids: each once with dedup, else once per choice. */
  read(topkIdx: Int32Array, token: number): void {
    this.#held = 0;
    this.choices = 0;
    const first = token * this.#numTopk;
    for (let at = first; at < first + this.#numTopk; at++) {
      const id = topkIdx[at] ?? 0;
      if (id < 0) continue;
      this.choices += 1;
      const host = Math.floor(id / this.#numLocal);
      if (!this.#isDeduped || this.times(host) === 0) this.#hosts[this.#held++] = host;
    }
  }

  /** How often the token goes to that rank. */
  times(host: number): number {
    let times = 0;
    for (let index = 0; index < this.#held; index++) if (this.#hosts[index] === host) times += 1;
    return times;
  }

  /** Counts one more for each of them. */
  addTo(counts: number[]): void {
    for (let index = 0; index < this.#held; index++) {
      const host = this.#hosts[index] ?? 0;
      counts[host] = (counts[host] ?? 0) + 1;
    }
  }

  list(): number[] {
    return [...this.#hosts.subarray(0, this.#held)];
  }
}
