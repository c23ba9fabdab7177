/** docs/coverage.md: what share of runner/ and jobs/ the tests execute, from docs/bench/coverage.json. */
import { projectRoot } from '../../../runner/project.js';
import { METRICS } from '../../coverage/counts.js';
import { coverageRows, readCoverageRecord, type CoverageRecord } from '../../coverage/record.js';
import { REASONS } from '../../coverage/reasons.js';
import { NO_REASON } from '../../coverage/unexecuted.js';
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
    npm run coverage -- --check         # and fails where a statement, branch or function has neither a test nor a reason
    npm run coverage -- --recorded      # runs no test; --merge FILE adds what a machine with GPUs recorded

CI has no time for coverage: the check is run by hand, with the figures.

${table(['folder', ...METRICS, ...gpus], coverageRows(record))}

## What is left

${leftText(record)}
`;
}

function leftText({ left }: CoverageRecord): string {
  const texts: Readonly<Record<string, string>> = {
    ...REASONS,
    [NO_REASON]: 'no test, and no reason why not',
  };
  const rows = Object.entries(left)
    .map(([key, counts]) => [
      texts[key] ?? key,
      ...METRICS.map((metric) => (counts[metric] === 0 ? '' : String(counts[metric]))),
    ])
    .sort((one, other) => Number(other[1]) - Number(one[1]));
  return `What no test executes without GPUs, by reason. A comment next to the code names it, \`v8 ignore next -- KEY\`, with a key of
\`scripts/coverage/reasons.ts\`; an index and an error show theirs. Branches of a statement that never ran count too.

${table(['reason', ...METRICS], rows)}`;
}
