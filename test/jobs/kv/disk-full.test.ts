import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { firstMissing, needsProgram, needsRoot } from '../../helpers/require.js';
import { run, runCli } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const layout = { kind: 'fullyContiguous', numLayers: 4, outerDim: 2, pageSize: 32, innerDim: 512 };
const job = { kind: 'offload', from: 'device', layout, blocks: 64, iterations: 2, warmup: 0, probe: false };

/** A file system that promises 128 MiB and has 24: its image is a sparse file on a small tmpfs. */
const MOUNT = `
set -e
mkdir -p small disk
mount -t tmpfs -o size=24m tmpfs small
truncate -s 128M small/image
mkfs.ext4 -q -F -E lazy_itable_init=1,nodiscard small/image
mount -o loop small/image disk`;
// Lazily: a test that makes a mount namespace meanwhile has a copy of both, which keeps the image in use.
const UNMOUNT = 'umount -l disk; umount -l small; true';

t.test(
  'a disk that fills up: errno and path in that row, later points run, exit 1',
  { skip: firstMissing(needsRoot(), needsProgram('mkfs.ext4', 'e2fsprogs')) },
  async (t) => {
    await withTempDir(async (folder) => {
      const mounted = await run('sh', ['-c', MOUNT], { cwd: folder });
      try {
        if (mounted.status !== 0) {
          t.pass('a full disk', { skip: `needs a loop device: ${mounted.stderr.trim()}` });
          return;
        }
        const pools = { deviceBlocks: 128, diskBlocks: 128, diskPath: join(folder, 'disk') };
        const jobs = [
          { ...job, id: 'full', to: 'disk', pools },
          { ...job, id: 'after', to: 'host', pools: { deviceBlocks: 128, hostBlocks: 128 } },
        ];
        const spec = join(folder, 'spec.json');
        writeFileSync(spec, JSON.stringify({ name: 'disk-full', device: 'host', jobs }));
        const out = join(folder, 'out');
        mkdirSync(out);
        const ended = await runCli(['run', spec, '--out', out]);
        t.equal(ended.status, 1, ended.stderr);
        const [runFolder = ''] = readdirSync(out);
        const rows = parse(readFileSync(join(out, runFolder, 'rank-0000.csv')), { columns: true }) as Record<
          string,
          string
        >[];
        t.match(rows[0], { job_id: 'full', status: 'failed', error_code: 'E_IO' });
        t.match(rows[0]?.error, /No space left on device \(errno 28\)/);
        t.match(rows[0]?.error, join(folder, 'disk', 'railrunner-disk-'));
        t.match(rows[1], { job_id: 'after', status: 'ok', wrong: '0' });
      } finally {
        await run('sh', ['-c', UNMOUNT], { cwd: folder });
      }
    });
  },
);
