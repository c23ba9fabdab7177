/** docs/errors.md from the catalogue in runner/errors.ts. */
import { ERROR_CATALOGUE, EXIT } from '../../../runner/errors.js';
import { GENERATED, table } from './markdown.js';

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'every row is ok, idle or skipped',
  failed: 'wrong data, or a job failed',
  usage: 'the command line or the spec',
  environment: 'MPI, GPU, addon, memory, or the output folder',
  fatal: 'the runner could not go on; later points are `aborted`',
  regression: '`ab` or `compare`: at least one key is slower, or failed in the candidate',
  noVerdict:
    '`ab` or `compare`: no verdict, because keys are too noisy or missing, or equal builds differed; never read it as a pass',
  timeout: 'a point ran into its deadline',
  interrupted: 'SIGINT',
  terminated: 'SIGTERM, or SIGUSR1 from a scheduler',
};

export function errorsPage(): string {
  const exits = Object.entries(EXIT) as [keyof typeof EXIT, number][];
  const codes = Object.entries(ERROR_CATALOGUE);
  return `${GENERATED}

# Errors and exit statuses

Every error has a code from this list; it appears in the log, in the \`error_code\` column and in the manifest. Codes are only
ever added.

## Exit statuses

The same on all ranks. Where several apply, the first of these wins: 130 or 143, 124, 4, 3, 2, 1. Launchers change
statuses (MPICH's mpirun ends with 0 after a SIGTERM): a run succeeded if \`manifest.json\` exists and its outcome is \`ok\`.

${table(
  ['status', 'meaning'],
  exits.map(([name, status]) => [String(status), EXIT_MEANINGS[name]]),
)}

## Codes

A code with the exit status 0 leads to a \`skipped\` row: the spec is valid, but this machine cannot do it.

${table(
  ['code', 'exit', 'meaning'],
  codes.map(([code, entry]) => [`\`${code}\``, String(entry.exit), entry.meaning]),
)}
`;
}
