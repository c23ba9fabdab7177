/** results/README.md from the columns, the kinds' own columns and the manifest's fields. */
import { JOB_KINDS } from '../../../jobs/index.js';
import { COLUMN_GROUPS, SCHEMA_VERSION, type ColumnDefinition } from '../../../runner/results/columns.js';
import { MANIFEST_FIELDS, VERSION_FIELDS } from '../../../runner/results/manifest.js';
import { SAMPLE_COLUMNS } from '../../../runner/results/samples-file.js';
import { SUMMARY_COLUMNS } from '../../../runner/results/summary-columns.js';
import { GENERATED, table } from './markdown.js';

function columnTable(columns: readonly ColumnDefinition[]): string {
  const rows = columns.map(({ name, unit, meaning }) => [`\`${name}\``, unit, meaning]);
  return table(['column', 'unit', 'meaning or formula'], rows);
}

function manifestTables(): string {
  const rows = (fields: Readonly<Record<string, string>>): string[][] =>
    Object.entries(fields).map(([name, meaning]) => [`\`${name}\``, meaning]);
  return [
    table(['field', 'meaning'], rows(MANIFEST_FIELDS)),
    table(['of `versions`', 'meaning'], rows(VERSION_FIELDS)),
  ].join('\n\n');
}

function kindSections(): string {
  const withColumns = JOB_KINDS.filter((kind) => kind.columns.length > 0);
  if (withColumns.length === 0) return 'No kind adds any.';
  return withColumns.map((kind) => `#### ${kind.kind}\n\n${columnTable(kind.columns)}`).join('\n\n');
}

/** Below the columns of samples/. */
const KIND_COLUMNS = `

A kind may add columns: a replay has what each request found and moved ([replay.md](../docs/replay.md#reading-the-rows)).`;

export function resultsPage(): string {
  return `${GENERATED}

# Results of a run

A run writes into its own folder, \`results/<run-id>/\`, and never overwrites anything.

| file | written by | holds |
| --- | --- | --- |
| \`rank-0000.csv\`, ... | each rank | a row for each point, phase, timing and direction, as the point ends |
| \`summary.csv\` | rank 0 | the same over all ranks |
| \`run.lock\` | every rank | nothing; it exists while the run lasts, and keeps a second run out of the folder |
| \`columns.json\` | rank 0 | of each column of these files: type, unit, and whether smaller or larger is better |
| \`manifest.json\` | rank 0 | what was run, on what, and how it ended; renamed into place last |
| \`samples/\` | each rank | raw samples, if \`saveSamples\` is set |

A missing value is an empty field, never 0 or a word. Names end with their unit; GB is 1e9 bytes. Columns are only ever
added at the end; \`schema_version\` (${SCHEMA_VERSION}) rises when a meaning changes. Rows that are not
\`ok\` or \`wrong\` have no times. The formulas with their sources are in docs/measuring.md, the codes in docs/errors.md.

## rank-NNNN.csv

${COLUMN_GROUPS.map((group) => `### ${group.title}\n\n${columnTable(group.columns)}`).join('\n\n')}

### Columns of the kinds

They follow the common ones if the spec has a job of that kind.

${kindSections()}

### Status

${table(
  ['status', 'meaning'],
  [
    ['`ok`', 'measured, and every checked word was right (or `verify` was off: `checked` is empty)'],
    ['`wrong`', 'measured, but words differ; the run fails'],
    ['`failed`', 'a stage failed on this or another rank'],
    ['`timeout`', 'a stage passed its deadline; `hung_rank` and `hung_stage` say where'],
    ['`skipped`', 'legal, but this machine, device or MPI cannot do it'],
    ['`idle`', 'this rank has nothing to do in this phase, by design'],
    ['`aborted`', 'the run was ended before or during the point'],
  ],
)}

## summary.csv

One row per point, phase, timing and direction. An iteration is complete when its last rank is: the time of an iteration
is the maximum over ranks. Times and aggregates are empty if ranks recorded different numbers of samples. If ranks differ in a
word, all their words are listed, joined by \`|\`.

${columnTable(SUMMARY_COLUMNS)}

The kinds' own columns follow, with a value if it is the same on all ranks.

## manifest.json

While the run lasts the file is \`manifest.json.part\` with the outcome \`running\`. The rename to \`manifest.json\` is the
last thing that a run does, so a run without that file was cut short. A \`manifest.json.next\` is left by a
SIGKILL or power loss just before a rename: nothing reads it, \`run --resume\` replaces it, and it may be deleted.

${manifestTables()}

## samples/point-NNNNN-rank-NNNN.csv

${columnTable(SAMPLE_COLUMNS)}${KIND_COLUMNS}
`;
}
