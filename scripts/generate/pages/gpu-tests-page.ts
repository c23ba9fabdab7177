/** docs/gpu-tests.md: when and on what each file of tests that need GPUs ran last, from docs/bench/gpu-tests.json. */
import { join } from 'node:path';
import { projectRoot } from '../../../runner/project.js';
import { changesAfter, readProvenance } from '../../bench/provenance.js';
import { gpuTestNames, readGpuRecord, type GpuTestFile } from '../../tests/gpu-record.js';
import { GENERATED, table } from './markdown.js';

const HEAD = ['test/cuda', 'last run', 'on', 'passed', 'failed', 'skipped, and as a whole', 'GPU code since'];

export function gpuTestsPage(): string {
  const record = readGpuRecord(projectRoot);
  const { gpuChanges } = readProvenance(join(projectRoot, 'docs', 'bench'));
  const rows = gpuTestNames(projectRoot).map((name) => {
    const file = record.find((each) => each.name === name);
    if (file === undefined) return [name, 'not recorded', '', '', '', '', ''];
    const since = changesAfter(gpuChanges, file.gpuSources).map(({ untested }) => untested ?? '');
    const reasons = [...new Set(since)].filter((reason) => reason !== '').join('; ');
    const changes = since.length === 0 ? 'as it was' : `changed${reasons && `; untested: ${reasons}`}`;
    const when = `${file.date}, ${file.commit}`;
    return [name, when, file.machine, String(file.passed), String(file.failed), restOf(file), changes];
  });
  return `${GENERATED}

# GPU tests

CI has no GPU: it compiles this code and skips these tests by name. Here is what each file did when it last ran on GPUs.
[contributing.md](contributing.md#tests-that-need-gpus) says how to run and record them; \`gpuChanges\` of
[bench/provenance.json](bench/provenance.json) names each change of GPU code.

${table(HEAD, rows)}
`;
}

function restOf({ skipped, fault }: GpuTestFile): string {
  const reasons = [...new Set(skipped.map((text) => text.slice(text.indexOf(': needs ') + 2)))];
  return [...reasons, fault].filter((text) => text !== '').join('; ');
}
