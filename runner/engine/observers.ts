/** The observers of a run: rows, counts, libraries and samples on every rank; summary, limits, table and progress on rank 0. */
import type { Logger } from 'pino';
import { toRunnerError, type RunnerError } from '../errors.js';
import { reportErrorOfRank } from '../error-line.js';
import type { PointProgress, Progress } from '../console/progress.js';
import type { Point } from '../job-spec/types.js';
import { HangingFileError } from '../results/output-errors.js';
import { sweptText } from '../results/params.js';
import type { RankCsv } from '../results/rank-csv.js';
import { writeSamples } from '../results/samples-file.js';
import type { Summary } from '../results/summary.js';
import { firstOf } from '../values/items.js';
import { within } from '../within.js';
import { RunObservers, type RunObserver } from './observer.js';
import type { RunReport } from './report.js';
import type { Run } from './run-state.js';

/** A disk that hangs must not hold the run: the rows wait in memory and are tried again. */
const WRITE_TIMEOUT_MS = 2000;
/** Samples are kept nowhere else. */
const SAMPLES_WITHIN_MS = 30_000;
/** A file system that has not answered once does not hold every later point as long. */
const SAMPLES_AGAIN_MS = 1000;

export type Observed = Pick<
  Run,
  'csv' | 'counts' | 'libraries' | 'report' | 'folder' | 'facts' | 'failures' | 'log'
>;

export function observersOf(run: Observed): RunObservers {
  const { counts, libraries, report } = run;
  const everyRank: RunObserver[] = [
    rowsObserver(run.csv, run.facts.rank, run.log),
    { name: 'the counts', rowsMade: (rows) => counts.add(rows) },
    { name: 'the libraries', rowsMade: (rows) => libraries.noteRows(rows) },
    samplesObserver(run.folder, run.facts.rank, run.failures),
  ];
  if (!report) return new RunObservers(everyRank);
  return new RunObservers([...everyRank, ...reportObservers(report)], (perRank) =>
    report.summary.rowsOf(perRank),
  );
}

function rowsObserver(csv: RankCsv, rank: number, log: Logger): RunObserver {
  let written = Promise.resolve();
  let isSaid = false;
  return {
    name: 'the rows',
    rowsMade: (rows) => (written = csv.append(rows)),
    // A summary row stands for rows that are in every rank's file: resuming relies on it.
    pointEnded: async () => {
      const isInTime = await within(WRITE_TIMEOUT_MS, written);
      const failure = csv.failure ?? (isInTime ? null : new HangingFileError(csv.path, WRITE_TIMEOUT_MS));
      if (!failure || isSaid) return;
      // While the run lasts there is time to free the disk: said once, on every rank that it happens to.
      isSaid = true;
      log.warn({ err: failure }, failure.message);
      reportErrorOfRank(rank, failure);
    },
    jobEnded: () => csv.endJob(),
    close: (options) => csv.close(options),
  };
}

function samplesObserver(folder: string, rank: number, failures: RunnerError[]): RunObserver {
  let limitMs = SAMPLES_WITHIN_MS;
  return {
    name: 'the samples',
    pointEnded: async ({ point, measurements }) => {
      if (!point.job.saveSamples || measurements.length === 0) return;
      const place = { point: point.index, rank };
      const samples = writeSamples(folder, place, measurements).catch((error: unknown) => {
        failures.push(toRunnerError(error, 'E_OUTPUT'));
      });
      if (await within(limitMs, samples)) return;
      failures.push(new HangingFileError(`samples of point ${point.index}`, limitMs));
      limitMs = SAMPLES_AGAIN_MS;
    },
  };
}

function reportObservers({ summary, limits, table, progress }: RunReport): RunObserver[] {
  return [
    progressObserver(progress),
    summaryObserver(summary),
    limitsObserver(limits),
    { name: 'the table', pointSummarized: ({ point, rows }) => table.add(sweptText(point.swept), rows) },
  ];
}

function summaryObserver(summary: Summary): RunObserver {
  return {
    name: 'the summary',
    pointSummarized: ({ rows }) => void summary.append(rows),
    jobEnded: () => summary.endJob(),
    close: (options) => summary.close(options),
  };
}

/** What only rank 0 probed is not a limit of all ranks. */
function limitsObserver(limits: RunReport['limits']): RunObserver {
  return {
    name: 'the limits',
    pointSummarized: ({ isGathered, rows }) => {
      if (isGathered) limits.add(rows);
    },
  };
}

/** A point of which the other ranks could not be heard is not over: the run ends instead. */
function progressObserver(progress: Progress): RunObserver {
  const place = (point: Point): PointProgress => ({
    jobId: point.job.id,
    point: point.index,
    sweptText: sweptText(point.swept),
  });
  return {
    name: 'the progress',
    pointStarted: (point) => progress.start(place(point)),
    pointAdvanced: (point, text) => progress.within(place(point), text),
    pointSummarized: ({ point, rows, isGathered }) => {
      if (isGathered) progress.end(place(point), String(firstOf(rows)['status']));
    },
    close: async () => progress.stop(),
  };
}
