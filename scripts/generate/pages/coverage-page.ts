/** docs/coverage.md: what share of runner/ and jobs/ the tests execute, from docs/bench/coverage.json. */
import { projectRoot } from '../../../runner/project.js';
import { coverageRows, METRICS, readCoverageRecord } from '../../coverage/record.js';
import { GENERATED, table } from './markdown.js';

export function coveragePage(): string {
  const record = readCoverageRecord(projectRoot);
  return `${GENERATED}

# Test coverage

The share of \`runner/\` and \`jobs/\` that tests execute on a machine without GPUs: ${record.date}, from commit ${record.commit} on,
Node ${record.node}, in parts and without \`test/native\`, which runs little of either. V8 counts in every process that the tests start, ranks included. A process that is killed, or leaves
without Node's exit, records nothing, so real coverage is somewhat higher. Code that only a GPU reaches counts as not covered.

    npm run coverage -- test/runner     # adds these tests to what is recorded; without names, all tests from the start
    npm run coverage -- --keep          # and writes docs/bench/coverage.json, from which this page is made
    npm run coverage -- --check         # and fails where a folder is half a point below what that file states
    npm run coverage -- --recorded      # runs no test; --merge FILE adds what a machine with GPUs recorded

CI has no time for coverage: the check is run by hand, with the figures.

${table(['folder', ...METRICS], coverageRows(record))}
`;
}
