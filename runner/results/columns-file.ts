/** columns.json: what the columns of a run's CSV files are, for programs that read them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SCHEMA_VERSION, type Better, type ColumnDefinition, type ColumnType } from './columns.js';
import { outputError } from '../system-failure.js';
import { SUMMARY_COLUMNS } from './summary-columns.js';

const COLUMNS_FILE = 'columns.json';

export interface DescribedColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Absent: none. */
  readonly unit?: string;
  /** Which direction is an improvement; null: neither. */
  readonly better: Better;
  readonly meaning: string;
}

export interface ColumnsFile {
  readonly schemaVersion: number;
  /** By file: `rank` stands for every rank-NNNN.csv. */
  readonly files: { readonly rank: readonly DescribedColumn[]; readonly summary: readonly DescribedColumn[] };
}

const WHOLE_NUMBERS =
  /^(schema_version|point|rank|world_size|node|local_rank|ranks_per_node|warmup|iterations|iters_\w+|checked|wrong|wrong_ranks|hung_rank|error_rank|slowest_rank|ranks_\w+|\w+_(min|max)_rank|point_rows)$/;
const TIMES = /_at$/;

/** Percentages and times in which the unit does not tell which direction is good. */
const BETTER: Readonly<Record<string, Better>> = {
  pct_of_peak: 'larger',
  pct_of_peak_min: 'larger',
  pct_of_peak_max: 'larger',
  aggregate_pct_of_peak: 'larger',
  overlap_pct: 'larger',
  spread_pct: 'smaller',
  noise_pct: 'smaller',
  slowest_share_pct: null,
  peak_GBps: null,
  aggregate_peak_GBps: null,
  wrong: 'smaller',
  wrong_ranks: 'smaller',
  iters_timed_out: 'smaller',
};

/** The column with its type and direction: what the definition says, else what name and unit mean. */
export function describeColumn(column: ColumnDefinition): DescribedColumn {
  const { name, unit, meaning } = column;
  return {
    name,
    type: column.type ?? typeByName(column),
    ...(unit === '' ? {} : { unit }),
    better: column.better === undefined ? betterByName(column) : column.better,
    meaning,
  };
}

function typeByName({ name, unit }: ColumnDefinition): ColumnType {
  if (unit === 'bytes' || WHOLE_NUMBERS.test(name)) return 'integer';
  if (unit !== '') return 'number';
  return TIMES.test(name) ? 'time' : 'text';
}

function betterByName({ name, unit }: ColumnDefinition): Better {
  const named = BETTER[name];
  if (named !== undefined) return named;
  if (unit === 'us') return 'smaller';
  return unit === 'GB/s' ? 'larger' : null;
}

export function describeColumns(
  rankColumns: readonly ColumnDefinition[],
  ownColumns: readonly ColumnDefinition[],
): ColumnsFile {
  return {
    schemaVersion: SCHEMA_VERSION,
    files: {
      rank: rankColumns.map(describeColumn),
      summary: [...SUMMARY_COLUMNS, ...ownColumns].map(describeColumn),
    },
  };
}

/** Rejects with E_OUTPUT. */
export async function writeColumnsFile(folder: string, columns: ColumnsFile): Promise<void> {
  const path = join(folder, COLUMNS_FILE);
  try {
    await writeFile(path, `${JSON.stringify(columns, null, 2)}\n`);
  } catch (error) {
    throw outputError(`${path} cannot be written`, error);
  }
}
