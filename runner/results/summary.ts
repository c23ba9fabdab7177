/** summary.csv, written by rank 0 as points end: what the ranks reached together, and which rank is the slowest. */
import { join } from 'node:path';
import { acrossRanks, sumOrUndefined, type RankSamples } from '../statistics/across-ranks.js';
import { bandwidthGBps, percentOf } from '../statistics/bandwidth.js';
import { COMMON_COLUMNS, type ColumnDefinition } from './columns.js';
import { describeColumns, writeColumnsFile } from './columns-file.js';
import { CsvFile, type CloseOptions } from './csv-file.js';
import { dropMissing, roundRate, roundUs, type Fields, type Row } from './fields.js';
import {
  numberOf,
  optionalNumber,
  numbersOf,
  valuesOf,
  sumPresent,
  joinDistinct,
  valueOfAll,
  type RankRow,
} from './rank-row.js';
import type { RankPointResult, RowStatus } from './row.js';
import {
  EXTREMES,
  SUMMARY_BYTE_COLUMN_NAMES,
  SUMMARY_COLUMNS,
  SUMMARY_POINT_COLUMN_NAMES,
  type SummaryColumn,
} from './summary-columns.js';

export class Summary {
  readonly #file: CsvFile;
  readonly #ownNames: readonly string[];

  private constructor(file: CsvFile, ownNames: readonly string[]) {
    this.#file = file;
    this.#ownNames = ownNames;
  }

  /** `rankColumns`: the header of the rank files; what kinds added there follows the summary's own columns. `kept`: the rows
   *  that stay of a run that is resumed. */
  static async open(
    folder: string,
    rankColumns: readonly ColumnDefinition[],
    kept?: readonly (readonly string[])[],
  ): Promise<Summary> {
    const own = ownColumns(rankColumns);
    await writeColumnsFile(folder, describeColumns(rankColumns, own));
    const path = join(folder, 'summary.csv');
    const columns = summaryColumns(rankColumns);
    const file = await (kept ? CsvFile.resume(path, columns, kept) : CsvFile.open(path, columns));
    return new Summary(
      file,
      own.map((column) => column.name),
    );
  }

  /** The rows of one point, from every rank that reported. */
  rowsOf(perRank: readonly RankPointResult[]): Row[] {
    return summarizePoint(perRank, this.#ownNames);
  }

  /** Never rejects; close() tells what could not be written. */
  append(rows: readonly Row[]): Promise<void> {
    return this.#file.append(rows);
  }

  endJob(): void {
    this.#file.sync();
  }

  /** Rejects with UnwrittenRowsError (code E_OUTPUT) where rows could not be written to the end. */
  close(options?: CloseOptions): Promise<void> {
    return this.#file.close(options);
  }
}

/** The header of summary.csv for that of the rank files. */
export function summaryColumns(rankColumns: readonly ColumnDefinition[]): ColumnDefinition[] {
  return [...SUMMARY_COLUMNS, ...ownColumns(rankColumns)];
}

/** Columns that kinds added and that the summary does not name otherwise. */
function ownColumns(rankColumns: readonly ColumnDefinition[]): ColumnDefinition[] {
  const taken = new Set([...COMMON_COLUMNS, ...SUMMARY_COLUMNS].map((column) => column.name));
  return rankColumns.filter((column) => !taken.has(column.name));
}

type SummaryFields = Fields<SummaryColumn>;

/** One row for each phase, timing and direction that a rank names, in the order of the lowest rank. */
export function summarizePoint(perRank: readonly RankPointResult[], ownNames: readonly string[] = []): Row[] {
  const entries = perRank
    .toSorted((a, b) => a.rank - b.rank)
    .flatMap(({ rank, rows, rankOnly, samplesUs, entrySkewUs }) =>
      rows.flatMap((row, at) =>
        rankOnly.includes(at)
          ? []
          : [
              {
                rank,
                row,
                samplesUs: samplesUs[at] ?? [],
                entrySkewUs: entrySkewUs[at] ?? [],
              },
            ],
      ),
    );
  const phases = new Map<string, RankRow[]>();
  const phaseless: RankRow[] = [];
  for (const entry of entries) {
    const { phase, timing, direction } = entry.row;
    if (phase === undefined) phaseless.push(entry);
    else {
      const key = JSON.stringify([phase, timing, direction]);
      phases.set(key, [...(phases.get(key) ?? []), entry]);
    }
  }
  if (phases.size === 0) return phaseless.length > 0 ? [summarize(phaseless, 1, ownNames)] : [];
  // A rank that failed before it knew its phases stands for all of them.
  return [...phases.values()].map((group) => summarize([...group, ...phaseless], phases.size, ownNames));
}

function summarize(group: readonly RankRow[], pointRows: number, ownNames: readonly string[]): Row {
  const measured = group.filter((entry) => entry.samplesUs.length > 0);
  const fields: SummaryFields = {};
  const own: Fields<string> = {};
  for (const name of SUMMARY_POINT_COLUMN_NAMES) fields[name] = joinDistinct(valuesOf(group, name));
  for (const name of SUMMARY_BYTE_COLUMN_NAMES) fields[name] = sumPresent(group, name);
  for (const name of ownNames) own[name] = valueOfAll(valuesOf(group, name));
  return dropMissing({
    ...own,
    ...fields,
    ...endFields(group, measured),
    ...summaryTimes(measured),
    ...summaryChecks(group),
    point_rows: pointRows,
  });
}

/** Codes of ranks that only learned of another rank's failure: the culprit is named before them. */
const FOLLOWS_FROM_ANOTHER = new Set<unknown>(['E_PEER_FAILED', 'E_ABORTED']);

const STATUS_WORST_FIRST: readonly RowStatus[] = [
  'aborted',
  'timeout',
  'failed',
  'wrong',
  'skipped',
  'ok',
  'idle',
];

function endFields(group: readonly RankRow[], measured: readonly RankRow[]): SummaryFields {
  const badness = ({ row }: RankRow): number =>
    STATUS_WORST_FIRST.findIndex((word) => word === row['status']);
  const ordered = group.toSorted((a, b) => badness(a) - badness(b) || a.rank - b.rank);
  const status = ordered[0]?.row['status'];
  const alike = ordered.filter((entry) => entry.row['status'] === status);
  const guilty = alike.find((entry) => !FOLLOWS_FROM_ANOTHER.has(entry.row['error_code'])) ?? alike[0];
  const hung = group.find(
    (entry) => entry.row['hung_rank'] !== undefined || entry.row['hung_stage'] !== undefined,
  );
  return {
    status,
    error_code: guilty?.row['error_code'],
    error: guilty?.row['error'],
    error_rank: status === 'ok' || status === 'idle' ? undefined : guilty?.rank,
    ranks_reported: new Set(group.map((entry) => entry.rank)).size,
    ranks_measured: measured.length,
    hung_rank: hung?.row['hung_rank'],
    hung_stage: hung?.row['hung_stage'],
    started_at: valuesOf(group, 'started_at').toSorted()[0],
  };
}

function summaryTimes(measured: readonly RankRow[]): SummaryFields {
  const fields: SummaryFields = {};
  for (const { of, min, minRank, max, maxRank } of EXTREMES) {
    const present = measured.filter((entry) => typeof entry.row[of] === 'number');
    if (present.length === 0) continue;
    const least = present.reduce((best, entry) => (numberOf(entry, of) < numberOf(best, of) ? entry : best));
    const most = present.reduce((best, entry) => (numberOf(entry, of) > numberOf(best, of) ? entry : best));
    fields[min] = numberOf(least, of);
    fields[minRank] = least.rank;
    fields[max] = numberOf(most, of);
    fields[maxRank] = most.rank;
  }
  const skews = numbersOf(measured, 'entry_skew_us');
  if (skews.length > 0) fields['entry_skew_max_us'] = Math.max(...skews);
  const medians = numbersOf(measured, 't_p50_us');
  if (medians.length > 0) {
    const [least, most] = [Math.min(...medians), Math.max(...medians)];
    fields['spread_us'] = roundUs(most - least);
    fields['spread_pct'] = roundRate(percentOf(most - least, least));
  }
  return { ...fields, ...completionFields(measured) };
}

function completionFields(measured: readonly RankRow[]): SummaryFields {
  const across = acrossRanks(measured.map(toRankSamples));
  if (across === undefined) return {};
  const { completion, meanOverRanks } = across;
  const peakGBps = sumOrUndefined(measured.map((entry) => optionalNumber(entry, 'peak_GBps')));
  const payloadBytes = sumOrUndefined(measured.map((entry) => optionalNumber(entry, 'payload_bytes')));
  const logicalBytes = sumOrUndefined(measured.map((entry) => optionalNumber(entry, 'logical_bytes')));
  return {
    t_min_us: roundUs(completion.min),
    t_p50_us: roundUs(completion.p50),
    t_p95_us: roundUs(completion.p95),
    t_p99_us: roundUs(completion.p99),
    t_max_us: roundUs(completion.max),
    t_mean_us: roundUs(completion.mean),
    t_stdev_us: roundUs(completion.stdev),
    noise_pct:
      completion.stdev === undefined ? undefined : roundRate(percentOf(completion.stdev, completion.mean)),
    median_noise_pct: roundRate(across.medianNoisePct),
    rank_mean_p50_us: roundUs(meanOverRanks.p50),
    rank_mean_mean_us: roundUs(meanOverRanks.mean),
    slowest_rank: across.slowestRank,
    slowest_share_pct: roundRate(across.slowestSharePct),
    aggregate_GBps: roundRate(across.aggregateGBps),
    aggregate_logbw_GBps: roundRate(bandwidthGBps(logicalBytes, across.spanP50Us)),
    aggregate_peak_GBps: roundRate(peakGBps),
    aggregate_pct_of_peak: roundRate(percentOf(bandwidthGBps(payloadBytes, completion.p50), peakGBps)),
  };
}

function summaryChecks(group: readonly RankRow[]): SummaryFields {
  const wrongRanks = group.filter((entry) => numberOf(entry, 'wrong') > 0);
  const wrong = sumPresent(group, 'wrong');
  return {
    checked: sumPresent(group, 'checked'),
    wrong,
    wrong_ranks: wrong === undefined ? undefined : wrongRanks.length,
    first_bad: wrongRanks[0]?.row['first_bad'],
  };
}

function toRankSamples(entry: RankRow): RankSamples {
  return {
    rank: entry.rank,
    samplesUs: entry.samplesUs,
    entrySkewUs: entry.entrySkewUs,
    payloadBytes: optionalNumber(entry, 'payload_bytes'),
  };
}
