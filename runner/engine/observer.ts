/** Those that are told how a run goes: files, counts, table, progress. The loop over points knows none of them by name. */
import type { Measurement } from '../job/measurement.js';
import type { CloseOptions } from '../results/csv-file.js';
import type { RankPointResult, Row } from '../results/row.js';
import type { Point } from '../job-spec/types.js';

/** A point that went through its stages on this rank. */
export interface PointEnd {
  readonly point: Point;
  readonly measurements: readonly Measurement[];
}

/** A point as rank 0 sums it up. */
export interface PointSummary {
  readonly point: Point;
  /** Its rows of summary.csv. */
  readonly rows: readonly Row[];
  /** False: from rank 0 only, because the run ended before the others could be heard. */
  readonly isGathered: boolean;
}

/** Each part is optional. They are called in this order. */
export interface RunObserver {
  /** For messages: what is closed at the end, "the rows". */
  readonly name: string;
  pointStarted?(point: Point): void;
  /** `text`: how far a long measurement is. */
  pointAdvanced?(point: Point, text: string): void;
  /** Rows of this rank, of one point or of many that never began. Resolves when they are stored, or kept; never rejects. */
  rowsMade?(rows: readonly Row[]): Promise<void> | void;
  /** Holds the loop: must end also where a file system hangs. Never rejects. */
  pointEnded?(end: PointEnd): Promise<void>;
  /** On rank 0 only. */
  pointSummarized?(summary: PointSummary): void;
  /** The next point, if any, is another job's. */
  jobEnded?(): void;
  /** Rejects where something could not be written to the end. May be called again. */
  close?(options: CloseOptions): Promise<void>;
}

export type Closing = Required<Pick<RunObserver, 'name' | 'close'>>;

/** Tells all of a list, in its order. */
export class RunObservers implements Omit<Required<RunObserver>, 'name' | 'pointSummarized' | 'close'> {
  readonly #list: readonly RunObserver[];
  readonly #summarize: ((perRank: readonly RankPointResult[]) => readonly Row[]) | undefined;

  /** `summarize`: makes the summary rows of a point, on rank 0. */
  constructor(
    list: readonly RunObserver[],
    summarize?: (perRank: readonly RankPointResult[]) => readonly Row[],
  ) {
    this.#list = list;
    this.#summarize = summarize;
  }

  pointStarted(point: Point): void {
    for (const observer of this.#list) observer.pointStarted?.(point);
  }

  pointAdvanced(point: Point, text: string): void {
    for (const observer of this.#list) observer.pointAdvanced?.(point, text);
  }

  /** Throws at once where an observer refuses the rows: they are not of its form. */
  rowsMade(rows: readonly Row[]): Promise<void> {
    return Promise.all(this.#list.map((observer) => observer.rowsMade?.(rows))).then(() => {});
  }

  async pointEnded(end: PointEnd): Promise<void> {
    await Promise.all(this.#list.map((observer) => observer.pointEnded?.(end)));
  }

  /** `perRank`: of every rank, or of this one only where `isGathered` is false. */
  pointReported(point: Point, perRank: readonly RankPointResult[], isGathered: boolean): void {
    if (!this.#summarize) return;
    const summary = { point, rows: this.#summarize(perRank), isGathered };
    for (const observer of this.#list) observer.pointSummarized?.(summary);
  }

  jobEnded(): void {
    for (const observer of this.#list) observer.jobEnded?.();
  }

  /** Those that have something to close. */
  get closings(): readonly Closing[] {
    return this.#list.flatMap((observer) => {
      const { name, close } = observer;
      return close ? [{ name, close: (options) => close.call(observer, options) }] : [];
    });
  }
}
