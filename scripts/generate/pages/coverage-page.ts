/** docs/coverage.md: what share of runner/ and jobs/ the tests execute, from docs/bench/coverage.json. */
import { projectRoot } from '../../../runner/project.js';
import {
  addCounts,
  coverageRows,
  METRICS,
  readCoverageRecord,
  type CoverageRecord,
} from '../../coverage/record.js';
import { GENERATED, table } from './markdown.js';

export function coveragePage(): string {
  const record = readCoverageRecord(projectRoot);
  const { withGpus } = record;
  const gpus = withGpus ? METRICS.map((metric) => `${metric}, with GPUs`) : [];
  return `${GENERATED}

# Test coverage

The share of \`runner/\` and \`jobs/\` that tests execute: ${record.date}, from commit ${record.commit} on, Node ${record.node},
${record.tests}.${withGpus ? ` With GPUs: the same with what tests of \`test/cuda\` executed on two GPUs, ${withGpus.date}, commit ${withGpus.commit}.` : ''}
V8 counts in every process that the tests start, ranks included. A process that is killed records nothing, and neither does
a thread that is ended with its answer.

    npm run coverage -- test/runner     # adds these tests to what is recorded; without names, all tests from the start
    npm run coverage -- --keep          # and writes docs/bench/coverage.json, from which this page is made
    npm run coverage -- --check         # and fails where a folder is half a point below what that file states
    npm run coverage -- --recorded      # runs no test; --merge FILE adds what a machine with GPUs recorded

CI has no time for coverage: the check is run by hand, with the figures.

${table(['folder', ...METRICS, ...gpus], coverageRows(record))}

## What is left

${leftText(record)}
`;
}

function leftText({ folders, left, numFallbacks }: CoverageRecord): string {
  const { branches } = addCounts(Object.values(folders));
  const rows = Object.entries(left)
    .map(([why, files]) => ({
      why,
      files,
      count: Object.values(files).reduce((sum, count) => sum + count, 0),
    }))
    .sort((one, other) => other.count - one.count)
    .map(({ why, files, count }) => `- **${count}**: ${why}: ${filesText(files)}`);
  return `Statements that no test executes without GPUs, by reason (\`scripts/coverage/left-reasons.ts\`):

${rows.join('\n')}

Of ${branches.total - branches.covered} branches that were never taken, ${numFallbacks} are a literal behind \`??\`, mostly at an index, where
\`noUncheckedIndexedAccess\` asks for one although nothing is absent.`;
}

/** runner/engine/leave.ts 3, runner/engine/outcome.ts 2 */
function filesText(files: Readonly<Record<string, number>>): string {
  return Object.entries(files)
    .map(([path, count]) => `${path} ${count}`)
    .join(', ');
}
