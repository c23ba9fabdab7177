/**
 * What a file system does with O_DIRECT is asked of it, since a successful open tells nothing: from Linux 6.6 on tmpfs
 * accepts the flag and ignores it, overlay answers for what lies below it, and ext4 with data=journal has no direct I/O
 * (statx of Linux 6.18: STATX_DIOALIGN not set, not set, and set with 0).
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { firstMissing, needsNamespaces, needsProgram } from '../../helpers/require.js';
import { railrunner, run } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.setTimeout(600_000);

const layout = { kind: 'fullyContiguous', numLayers: 4, outerDim: 2, pageSize: 32, innerDim: 512 };
const job = {
  kind: 'offload',
  from: 'device',
  to: 'disk',
  layout,
  blocks: 8,
  iterations: 1,
  warmup: 0,
  probe: false,
};

const FILE_SYSTEMS = [
  { title: 'tmpfs', mount: 'mount -t tmpfs x disk', diskIo: /^(io_uring|threads) buffered qd=32$/ },
  {
    title: 'overlay over tmpfs',
    mount:
      'mkdir below && mount -t tmpfs x below && mkdir below/low below/up below/work && ' +
      'mount -t overlay x -o lowerdir=below/low,upperdir=below/up,workdir=below/work disk',
    diskIo: /^(io_uring|threads) buffered qd=32$/,
  },
  {
    title: 'ext4 with data=journal',
    mount: 'truncate -s 64M image && mkfs.ext4 -q -F image && mount -o loop,data=journal image disk',
    diskIo: /^(io_uring|threads) buffered qd=32$/,
  },
  {
    title: 'ext4',
    mount: 'truncate -s 64M image && mkfs.ext4 -q -F image && mount -o loop image disk',
    diskIo: /^(io_uring|threads)\+O_DIRECT qd=32$/,
  },
];

const missing = firstMissing(needsNamespaces(), needsProgram('mkfs.ext4', 'e2fsprogs'));

for (const { title, mount, diskIo } of FILE_SYSTEMS) {
  t.test(`${title}: disk_io and doctor tell how it was driven`, { skip: missing }, async (t) => {
    await withTempDir(async (folder) => {
      const pools = { deviceBlocks: 16, diskBlocks: 16, diskPath: join(folder, 'disk') };
      const spec = join(folder, 'spec.json');
      writeFileSync(
        spec,
        JSON.stringify({ name: 'direct', device: 'host', jobs: [{ ...job, id: 'down', pools }] }),
      );
      // A mount namespace of its own: what is mounted ends with it.
      const script = `mkdir disk out && { ${mount}; } 2>mount.txt || exit 77
"$0" doctor ${spec} --json >doctor.json
"$0" run ${spec} --out out`;
      const ended = await run('unshare', ['-m', 'sh', '-c', script, railrunner], { cwd: folder });
      if (ended.status === 77) {
        t.pass(title, {
          skip: `needs to mount it: ${readFileSync(join(folder, 'mount.txt'), 'utf8').trim()}`,
        });
        return;
      }
      t.equal(ended.status, 0, ended.stderr);
      const [runFolder = ''] = readdirSync(join(folder, 'out'));
      const csv = readFileSync(join(folder, 'out', runFolder, 'rank-0000.csv'), 'utf8');
      const [row] = parse(csv, { columns: true }) as Record<string, string>[];
      t.match(row, { status: 'ok', wrong: '0', disk_io: diskIo });
      const doctor = JSON.parse(readFileSync(join(folder, 'doctor.json'), 'utf8')) as {
        findings: { check: string; kind: string; what: string }[];
      };
      const found = doctor.findings.filter(({ check }) => check === 'disk');
      const buffered = found.some(({ kind }) => kind === 'no-direct-io');
      t.equal(buffered, !diskIo.source.includes('O_DIRECT'), JSON.stringify(found));
    });
  });
}
