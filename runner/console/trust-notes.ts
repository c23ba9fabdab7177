/** What a reader of the table should not take at face value: rows that vary widely, and rows above their peak. */
import type { Row } from '../results/fields.js';

/** Above this, one run says little of a change of some percent. */
const NOISY_PCT = 10;
/** The last digits of a share are the probe's own noise. */
const ABOVE_PEAK_PCT = 101;

export class TrustNotes {
  #timed = 0;
  #noisy = 0;
  #noisiestPct = 0;
  #abovePeak = 0;
  #highestPct = 0;
  #stopped = 0;
  #cutShort = 0;

  add(row: Row): void {
    const [noisePct, peakPct] = [row['noise_pct'], row['aggregate_pct_of_peak']];
    if (typeof noisePct === 'number') {
      this.#timed += 1;
      if (noisePct > NOISY_PCT) this.#noisy += 1;
      this.#noisiestPct = Math.max(this.#noisiestPct, noisePct);
    }
    const stoppedBy = row['stopped_by'];
    if (stoppedBy !== undefined) this.#stopped += 1;
    if (stoppedBy !== undefined && stoppedBy !== 'noise') this.#cutShort += 1;
    if (typeof peakPct === 'number' && peakPct > ABOVE_PEAK_PCT) {
      this.#abovePeak += 1;
      this.#highestPct = Math.max(this.#highestPct, peakPct);
    }
  }

  sentences(): string[] {
    const notes: string[] = [];
    if (this.#noisy > 0) {
      notes.push(
        `noise: iterations of ${this.#noisy} of ${this.#timed} rows vary by more than ${NOISY_PCT} % ` +
          `(at most ${this.#noisiestPct.toFixed(0)} %): compare runs, not figures (docs/tracking.md)`,
      );
    }
    if (this.#cutShort > 0) {
      notes.push(
        `stopping: ${this.#cutShort} of ${this.#stopped} rows ended by maxIterations or maxSeconds before their noise ` +
          'was below maxNoisePct: the column median_noise_pct says how far they came (docs/measuring.md)',
      );
    }
    if (this.#abovePeak > 0) {
      notes.push(
        `peak: ${this.#abovePeak} rows exceed their peak (at most ${this.#highestPct.toFixed(0)} %): the ` +
          'column peak_note says why; compare times, not shares',
      );
    }
    return notes;
  }
}
