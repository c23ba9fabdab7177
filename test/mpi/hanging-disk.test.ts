/** A results file system that stops answering, as an NFS server does: the run ends, and no row is lost. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'csv-parse/sync';
import { firstMissing, needsMpi, needsProgram, needsRoot } from '../helpers/require.js';
import { untilRows } from '../helpers/rank-process.js';
import { railrunner, run, start, runArgs } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { withTempDir } from '../helpers/with-temp-dir.js';

t.setTimeout(600_000);

const MOUNT = 'truncate -s 16M image && mkfs.ext4 -q image && mkdir disk && mount -o loop image disk';
const POINTS = 40;
const skip = firstMissing(
  needsRoot(),
  needsMpi('openmpi'),
  needsProgram('mkfs.ext4', 'e2fsprogs'),
  needsProgram('fsfreeze', 'util-linux'),
);

t.test('SIGTERM while the results file system is frozen', { skip }, (t) =>
  withTempDir(async (folder) => {
    const mounted = await run('sh', ['-c', MOUNT], { cwd: folder });
    if (mounted.status !== 0) {
      t.pass('a frozen disk', { skip: `needs a loop device: ${mounted.stderr.trim()}` });
      return;
    }
    const disk = join(folder, 'disk');
    const saved = join(folder, 'saved');
    mkdirSync(saved);
    const spec = writeSmallSpec(folder, { numPoints: POINTS, iterations: 100_000, timeoutSeconds: 600 });
    const running = start(railrunner, runArgs(spec, disk), {
      env: { TMPDIR: saved },
    });
    try {
      await untilRows(running, join(disk, 'x'), 0, 2);
      await run('fsfreeze', ['-f', disk]);
      process.kill(running.child.pid ?? 0, 'SIGTERM');
      await running.waitFor(/summary\.csv: the file system did not answer/);
      const [own = '', summary = ''] = ['rank-0000.csv', 'summary.csv'].map((name) => {
        const copy = readdirSync(saved).find((file) => file.endsWith(name)) ?? '';
        return readFileSync(join(saved, copy), 'utf8');
      });
      await run('fsfreeze', ['-u', disk]);
      const { status, stderr } = await running.finished;
      t.equal(status, 143, stderr);
      t.match(
        stderr,
        /railrunner: E_OUTPUT: .*rank-0000\.csv: the file system did not answer within 0\.25 s/,
      );
      for (const [name, text] of [
        ['rank-0000.csv', own],
        ['summary.csv', summary],
      ] as const) {
        const kept = parse(readFileSync(join(disk, 'x', name)), { columns: false }) as string[][];
        const rescued = parse(text, { columns: false }) as string[][];
        const at = kept[0]?.indexOf('point') ?? 0;
        const points = new Set([...kept.slice(1), ...rescued].map((row) => row[at]));
        t.equal(points.size, POINTS, `${name}: with what was saved, a row for every point`);
      }
    } finally {
      await run('fsfreeze', ['-u', disk]);
      await run('umount', ['-l', disk]);
    }
  }),
);
