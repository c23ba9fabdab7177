/** GPU tests passed with the GPU code as it is: CI has no GPU, so it requires their record. */
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { changesAfter, readProvenance, type GpuChange } from '../../scripts/bench/provenance.js';
import { gpuTestNames, readGpuRecord, type GpuTestRecord } from '../../scripts/tests/gpu-record.js';

const remedy =
  'run the GPU tests and record them (docs/contributing.md, "Tests that need GPUs"), or say in "untested" of the change in docs/bench/provenance.json why they cannot run';

/** What is missing, a line per file of tests. */
function missing(
  names: readonly string[],
  record: GpuTestRecord,
  gpuChanges: readonly GpuChange[],
): readonly string[] {
  return names.flatMap((name) => {
    const file = record.find((each) => each.name === name);
    if (file === undefined) return [`${name}: never recorded`];
    const untested = changesAfter(gpuChanges, file.gpuSources).filter((change) => !change.untested);
    const last = untested.at(-1);
    return [
      ...(file.passed === 0 ? [`${name}: nothing ran, all was skipped`] : []),
      ...(file.failed > 0 || file.fault !== ''
        ? [`${name}: ${file.failed} failed ${file.fault}`.trim()]
        : []),
      ...(last ? [`${name}: not run since ${untested.length} changes, the last of them "${last.text}"`] : []),
    ];
  });
}

const names = gpuTestNames(projectRoot);
const record = readGpuRecord(projectRoot);
const { gpuChanges } = readProvenance(join(projectRoot, 'docs', 'bench'));

t.test('every file of GPU tests passed with the GPU code as it is', async (t) => {
  t.same(missing(names, record, gpuChanges), [], remedy);
});

t.test('a file that is new, failed or ran before a change is found', async (t) => {
  const change = { gpuSources: 'f', text: 'a new kernel' };
  t.match(missing(['new'], record, []), ['new: never recorded']);
  t.same(missing(names, record, [...gpuChanges, change]).length, names.length);
  t.same(missing(names, record, [...gpuChanges, { ...change, untested: 'no GPU was at hand' }]), []);
  const broken = record.map((file, i) => (i === 0 ? { ...file, failed: 1 } : file));
  t.match(missing(names, broken, gpuChanges), [/: 1 failed/]);
  const skipped = record.map((file, i) => (i === 0 ? { ...file, passed: 0 } : file));
  t.match(missing(names, skipped, gpuChanges), [/: nothing ran/]);
  const cut = record.map((file, i) => (i === 0 ? { ...file, fault: 'no plan' } : file));
  t.match(missing(names, cut, gpuChanges), [/failed no plan/]);
});
