/** A run inside a memory control group that is smaller than the machine: refused by name, never killed. */
import t from 'tap';
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { run } from '../helpers/run-cli.js';
import { needsRoot, type Missing } from '../helpers/require.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { projectRoot } from '../../runner/project.js';

const HIERARCHY = '/sys/fs/cgroup/memory';
const LIMIT_BYTES = 400 * 1024 ** 2;

function needsMemoryGroups(): Missing {
  if (needsRoot() !== false) return needsRoot();
  try {
    accessSync(join(HIERARCHY, 'memory.limit_in_bytes'), constants.R_OK);
    return false;
  } catch {
    return 'needs a memory hierarchy of cgroup v1';
  }
}

t.test('doctor and run name the limit', { skip: needsMemoryGroups() }, async (t) => {
  const group = join(HIERARCHY, `railrunner-test-${process.pid}`);
  mkdirSync(group);
  t.teardown(async () => {
    // Open MPI's helper process of a single rank leaves a moment after it.
    for (let tries = 0; readFileSync(join(group, 'tasks'), 'utf8') !== '' && tries < 600; tries++)
      await sleep(50);
    rmdirSync(group);
  });
  writeFileSync(join(group, 'memory.limit_in_bytes'), String(LIMIT_BYTES));
  await withTempDir(async (folder) => {
    const spec = join(folder, 'spec.json');
    const layout = { kind: 'fullyContiguous', numLayers: 1, outerDim: 1, pageSize: 1, innerDim: 2 ** 20 };
    const job = {
      id: 'm',
      kind: 'offload',
      from: 'device',
      to: 'host',
      blocks: 4,
      layout: { ...layout, dtypeWidthBytes: 1 },
      pools: { deviceBlocks: 300, hostBlocks: 300 },
    };
    writeFileSync(spec, JSON.stringify({ device: 'host', jobs: [job] }));
    const inGroup = (...words: string[]) =>
      run('sh', ['-c', 'echo $$ > "$0"/tasks && exec "$@"', group, process.execPath, ...words]);
    const railrunner = join(projectRoot, 'bin', 'railrunner');
    const doctor = await inGroup(railrunner, 'doctor', spec);
    t.equal(doctor.status, 3, doctor.stdout);
    t.match(doctor.stdout, 'memory.limit_in_bytes');
    const ran = await inGroup(railrunner, 'run', spec, '--out', folder);
    t.equal(ran.status, 3, ran.stderr);
    t.match(ran.stderr, /600 MiB of memory, 3[\d.]+ MiB are available \(.*memory\.limit_in_bytes\)/);
  });
});
