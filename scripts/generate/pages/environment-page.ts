/** docs/environment.md: every variable that the runner or its tests read, set or record. */
import { JOB_KINDS } from '../../../jobs/index.js';
import { RECORDED_NAMES, RECORDED_PREFIXES } from '../../../runner/environment/recorded.js';
import { UCX_DEFAULTS, VARIABLES, type IntegerVariable } from '../../../runner/environment/variables.js';
import { environmentKeys } from '../../../runner/job-spec/environment-keys.js';
import { GENERATED, table } from './markdown.js';

type Entry = readonly [name: string, meaning: string];

/** Variables of other programs. A test finds those that the code reads and that are missing here. */
const FOREIGN: readonly Entry[] = [
  ['`NO_COLOR`', 'not empty: no colours and no progress line'],
  ['`PATH`', 'where `launch` looks for mpirun, and `bin/railrunner` for Node'],
  [
    '`NODE_OPTIONS`',
    'read by Node; with `--inspect`, `--require` or `--import` in it, a debugger that is open at the start stays open',
  ],
  [
    '`OMPI_COMM_WORLD_*`, `PMIX_*`, `PMI_*`, `HYDI_*`',
    'rank and number of ranks, as Open MPI, MPICH or a PMI server set them; those of a launcher that did not start the rank are hidden from MPI',
  ],
  ['`SLURM_*`', 'the same for srun; `SLURM_ARRAY_TASK_*` for `--shard slurm`'],
  ['`FLUX_JOB_SIZE`, `FLUX_TASK_RANK`', 'the same for Flux, which is recognised and refused by name'],
  [
    '`CUDA_VISIBLE_DEVICES`',
    'read by the CUDA driver: GPUs that a rank sees; a rank that sees several takes the one of its place on the host',
  ],
  ['`NCCL_*`, `UCX_*`, `OMPI_MCA_*`', 'read by NCCL, UCX and Open MPI; `doctor` says which change figures'],
];

const DEVELOPMENT: readonly Entry[] = [
  ['`CI`', '`true`: a skipped test whose need could be installed counts as a failure'],
  ['`RAILRUNNER_TEST_BLOBS`', 'number of mutated metadata blobs of each kind that the transfer test reads'],
  [
    '`RAILRUNNER_TEST_OPENINGS`',
    'number of failing opens of each sort after which the test looks for what is left',
  ],
  ['`RAILRUNNER_TEST_MUTATIONS`', 'number of mutated specs, traces and files that the parser test reads'],
  ['`RAILRUNNER_TEST_SEEDS`', 'number of worlds that each simulator runs (docs/simulation.md)'],
  [
    '`RAILRUNNER_TEST_CALLS`',
    'number of calls of high throughput between two emulated nodes that are compared, 10000 for example',
  ],
  ['`RAILRUNNER_TEST_CUTS`', 'all: the cable is pulled under high throughput too'],
  [
    '`RAILRUNNER_TEST_SWEEP`',
    'file: the sweep of high throughput runs between two hosts and leaves its rows',
  ],
  ['`RAILRUNNER_TEST_JOBS`', 'ids of the jobs of that sweep; all where it is not set'],
  ['`RAILRUNNER_TEST_KILLS`', 'number of runs that the resume test kills'],
  ['`RAILRUNNER_TEST_WIDE`', '`1`: transfers of 8 ranks, on however few cores'],
  ['`RAILRUNNER_TEST_TRACES`', 'number of random traces for the simulated caches'],
  ['`RAILRUNNER_ALL_FAULTS`', '`1`: all cases of test/faults instead of a selection'],
  ['`RAILRUNNER_ONLY_FAULT`', 'part of the name of the cases of test/faults to run'],
  ['`RAILRUNNER_SHARED`', 'folder of the reference material that some tests compare with'],
];

const range = (entry: Pick<IntegerVariable, 'range'> | object): string =>
  'range' in entry ? `${entry.range[0]} to ${entry.range[1]}` : 'text';
const kindsWith = (key: string): string =>
  JOB_KINDS.filter((kind) => kind.environmentKeys?.some((entry) => entry.key === key))
    .map(({ kind }) => kind)
    .join(', ');

export function environmentPage(): string {
  const names = [...RECORDED_NAMES].map((name) => `\`${name}\``).join(', ');
  const prefixes = RECORDED_PREFIXES.map((prefix) => `\`${prefix}\``).join(', ');
  return `${GENERATED}

# Environment variables

The command line wins over the environment, the environment over the spec, the spec over defaults. An empty variable
counts as not set. A value outside its range is refused (\`E_USAGE\`, exit 2).

## Variables that change jobs

Hosts that serve models may have these set. \`run\`, \`validate\`, \`plan\` and \`doctor\` apply them alike, to every job whose
kind has the key; \`--set\` wins over them. \`plan\` and \`doctor\` name those that are set, and the manifest records them.

${table(
  ['variable', 'key', 'kinds', 'value', 'meaning'],
  environmentKeys(JOB_KINDS).map((entry) => [
    `\`${entry.name}\``,
    `\`${entry.key}\``,
    kindsWith(entry.key),
    range(entry),
    entry.meaning,
  ]),
)}

## Variables of the runner

${table(
  ['variable', 'value', 'meaning'],
  Object.values(VARIABLES).map((entry) => [`\`${entry.name}\``, range(entry), entry.meaning]),
)}

## Variables that railrunner sets

Where they are not set. UCX would otherwise patch \`mmap\` in the process, which crashes Node now and then, take over
signal handlers, and log to stdout.

${table(
  ['variable', 'value'],
  Object.entries(UCX_DEFAULTS).map(([name, value]) => [
    `\`${name}\``,
    value === '' ? 'empty' : `\`${value}\``,
  ]),
)}

## Variables of other programs

${table(['variable', 'meaning'], FOREIGN)}

## What the manifest records

Variables that begin with ${prefixes}, and ${names}; never one whose name looks like a secret (token, key, password).

## For development

${table(['variable', 'meaning'], DEVELOPMENT)}
`;
}
