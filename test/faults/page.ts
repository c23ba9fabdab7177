/** docs/reliability.md, from the records of every fault that a test injects. */
import { GENERATED, table } from '../../scripts/generate/pages/markdown.js';
import { FAULTS } from './cases/index.js';
import { FAULTS_ELSEWHERE } from './elsewhere/index.js';
import type { Ending, FaultCase } from './fault.js';

export const RELIABILITY_PAGE = 'docs/reliability.md';

const OUTCOMES: Readonly<Record<Ending['outcome'], string>> = {
  ok: 'ok',
  incomplete: 'incomplete',
  failed: 'failed',
  timeout: 'timeout',
  aborted: 'aborted',
  refused: 'refused',
  none: 'refused before there is a run',
  running: 'no manifest',
};

const ROWS: Readonly<Record<Ending['rows'], string>> = {
  all: 'one for every point, on every rank',
  finished: 'those of finished points',
  none: 'no run folder',
};

const HEAD = [
  'fault: a run in which ...',
  'end',
  'exit status',
  'who is named',
  'rows kept',
  'leftovers',
  'test',
];

function rowOf({ id, fault, startedBy, mpis, ending }: FaultCase): string[] {
  const under = startedBy === 'alone' ? '' : (mpis ?? ['openmpi', 'mpich']).join(', ');
  const status = ending.status.map((one) => (one === null ? 'the signal' : String(one))).join(' or ');
  const lost = ending.lostRanks?.map((rank) => `rank ${rank} excepted`).join(', ');
  const rows = [ROWS[ending.rows], lost].filter(Boolean).join(', ');
  const test = `\`${id}\`${under === '' ? '' : ` (${under})`}`;
  return [fault, OUTCOMES[ending.outcome], status, ending.named, rows, 'none', test];
}

export function reliabilityPage(): string {
  const numFaults = FAULTS.length + FAULTS_ELSEWHERE.length;
  return `${GENERATED}

# What a run does when something breaks

${numFaults} faults that tests inject, nearly all into real runs with real launchers, ranks, signals and files. A fault never
leaves a manifest that says \`ok\` over wrong or missing rows, and a point never has two verdicts. A run that cannot continue ends by itself, names the cause
if it can, and leaves no processes or files behind.

## Faults of the table

Each is a case below test/faults/cases, run by \`npm test -- test/faults\`: some always, all with \`RAILRUNNER_ALL_FAULTS=1\`,
one with \`RAILRUNNER_ONLY_FAULT=ID\`. After each the test looks for processes that carry the run's folder in their command line
and for files in the run's TMPDIR.

${table(HEAD, FAULTS.map(rowOf))}

## Faults of other tests

${table(
  HEAD,
  FAULTS_ELSEWHERE.map(({ fault, end, status, named, rows, leftovers, test }) => [
    fault,
    end,
    status,
    named,
    rows,
    leftovers,
    test,
  ]),
)}
`;
}
