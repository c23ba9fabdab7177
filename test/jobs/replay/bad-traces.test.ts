/** Traces and specs that are not what a replay can take. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { loadSpec } from '../../../runner/job-spec/load.js';
import { worldIssues } from '../../../runner/job-spec/resolve-job.js';
import type { ResolvedSpec } from '../../../runner/job-spec/types.js';
import { fill, hasUnlinkedFile, needsMount, withSmallDisk } from '../../helpers/full-disk.js';
import { pointOf, rowOf, runReplay, SMALL_TRACE } from '../../helpers/run-replay.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { present } from '../../../runner/values/items.js';

t.setTimeout(600_000);

const line = (timestamp: unknown, length: number, ids: string): string =>
  `{"timestamp": ${timestamp}, "input_length": ${length}, "output_length": 5, "hash_ids": [${ids}]}`;
const GOOD = [line(0, 1000, '1, 2'), line(1, 1000, '1, 3'), line(2, 600, '1, 4')];

const isWrong: [string, string, RegExp][] = [
  ['back in time', line(0, 600, '7, 8'), /line 4: timestamp 0, expected a number >= 2/],
  ['ids that do not fit', line(3, 5000, '7, 8'), /line 4: 2 hash_ids, expected 10/],
  ['no ids', line(3, 600, ''), /line 4: hash_ids \[\], expected a list of at least one id/],
  ['not JSON', '{"timestamp": ', /line 4: not JSON/],
];

t.test('wrong lines are refused with their numbers before anything moves, or counted', (t) =>
  withTempDir(async (folder) => {
    const jobOf = (name: string, content: string | Uint8Array, trace: object = {}) => {
      writeFileSync(join(folder, name), content);
      return { trace: { path: join(folder, name), ...trace }, windows: 2 };
    };
    const huge = line(3.5, 600, '18446744073709551615, 9007199254740993');
    const refused = isWrong.map(([, text], at) => jobOf(`${at}.jsonl`, `${[...GOOD, text].join('\n')}\n`));
    const all = [...GOOD, ...isWrong.map(([, text]) => text)];
    const run = await runReplay(folder, {
      ranks: 1,
      jobs: [
        ...refused,
        jobOf('counted.jsonl', `${all.join('\n')}\n`, { onBadLine: 'count' }),
        jobOf('read.jsonl.gz', gzipSync(`${GOOD.join('\r\n')}\r\n${huge}\r\n\r\n\r\n`)),
        { ...jobOf('short.jsonl', GOOD.join('\n')), warmupRequests: 3 },
      ],
    });
    t.equal(run.status, 1, run.said);
    for (const [at, [what, , expected]] of isWrong.entries()) {
      const failed = { status: 'failed', error_code: 'E_TRACE', error: expected };
      t.match(pointOf(run, at).rows[0]?.[0], failed, what);
    }
    const counted = rowOf(pointOf(run, isWrong.length), 0, 'replay');
    t.match(counted, { status: 'ok', requests: '3', prefix_blocks: '6', wrong: '0' });
    const read = rowOf(pointOf(run, isWrong.length + 1), 0, 'replay');
    const expected = { status: 'ok', requests: '4', prefix_blocks: '8', hits_device: '2', wrong: '0' };
    t.match(read, expected, 'CRLF, blank lines, gzip, times that are no whole numbers and the largest ids');
    const short =
      /short\.jsonl: expected more than the 3 requests of warmupRequests, received 3 of them; take more requests, or/;
    const tooFew = { status: 'failed', error_code: 'E_TRACE', error: short };
    t.match(pointOf(run, isWrong.length + 2).rows[0]?.[0], tooFew, 'none is left to count');
  }),
);

/** A job of one tier with the changes; throws for what is wrong in it. */
function loaded(folder: string, change: object): ResolvedSpec {
  const job = {
    id: 'replay',
    kind: 'replay',
    trace: { path: SMALL_TRACE },
    layout: { numLayers: 2, outerDim: 2, innerDim: 16 },
    pools: { deviceBlocks: 8 },
    ...change,
  };
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ name: 'bad', jobs: [job] }));
  return loadSpec(spec, { kinds: JOB_KINDS });
}

t.test('a spec says which key is wrong', async (t) => {
  await withTempDir(async (folder) => {
    const good = (change: object): ResolvedSpec => loaded(folder, change);
    const refused = (change: object): string => {
      try {
        good(change);
      } catch (error) {
        return String(error);
      }
      t.fail(JSON.stringify(change));
      return '';
    };
    t.match(refused({ trace: { path: 'nowhere.jsonl' } }), /\/jobs\/0\/trace\/path[^]*not found/);
    const azure = join(folder, 'azure.csv');
    writeFileSync(azure, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n');
    t.match(refused({ trace: { path: azure } }), /trace of azure, which names none/);
    const layout = { numLayers: 2, outerDim: 2, innerDim: 16, pageSize: 48 };
    t.match(refused({ layout }), /\/layout\/pageSize\s+expected: a divisor of 512/);
    t.match(
      refused({ hostLayout: { pageSize: 32 } }),
      /\/hostLayout\/pageSize\s+expected: 512, as in layout/,
    );
    const pages = { pools: { deviceBlocks: 2 ** 31 - 1 }, layout: { ...layout, pageSize: 256 } };
    t.match(refused(pages), /\/pools\s+expected: tiers of at most 2147483647 pages/);
    for (const [name, bytes, said] of [
      ['empty.jsonl', '', /no line/],
      ['page.html', '<html>\n', /line 1: neither JSON nor a known header: "<html>"; expected Mooncake/],
      ['cut.jsonl.gz', Buffer.from([0x1f, 0x8b, 8, 0xff]), /cut\.jsonl\.gz: /],
    ] as const) {
      writeFileSync(join(folder, name), bytes);
      t.match(refused({ trace: { path: join(folder, name) } }), said, name);
    }
    t.match(refused({ pools: { deviceBlocks: 0 } }), /\/jobs\/0\/pools\/deviceBlocks/);
    t.match(refused({ strategy: 'pipelined' }), /\/strategy\s+expected: a strategy of mode sharded/);
    t.match(refused({ mode: 'replicated', strategy: 'independent' }), /the mode is sharded/);
    t.match(refused({ root: 1 }), /\/root\s+expected: nothing without mode replicated/);
    const warm = { trace: { path: SMALL_TRACE, requests: 5 }, warmupRequests: 5 };
    const { points } = good({ mode: 'replicated', root: 2 });
    t.match(worldIssues(points, JOB_KINDS, 2), [
      { pointer: '/jobs/0/root', expected: /0 to 1/, received: '2' },
    ]);
    const odd = {
      layout: { ...layout, pageSize: 512, alignment: 48 },
      pools: { deviceBlocks: 8, hostBlocks: 8, diskBlocks: 8 },
    };
    t.equal(refused(odd).match(/\/layout\/alignment\s+expected: a power of two/g)?.length, 1, 'said once');
    t.match(refused(warm), /\/warmupRequests\s+expected: less than the 5 requests/);
  });
});

t.test('blockTokens as a spec says them are taken, and are the pages of a layout that names none', (t) =>
  withTempDir(async (folder) => {
    const { points } = loaded(folder, { trace: { path: SMALL_TRACE, blockTokens: 256 } });
    t.match(points[0]?.spec, { trace: { blockTokens: 256 }, layout: { pageSize: 256 } });
  }),
);

t.test('a strategy of GPUs is skipped where there is none', (t) =>
  withTempDir(async (folder) => {
    const kind = present(
      JOB_KINDS.find((each) => each.kind === 'replay'),
      'the kind',
    );
    const place = {
      worldSize: 2,
      ranksPerNode: 2,
      device: 'host',
      networkMissing: '',
      ncclMissing: '',
    } as const;
    const skipped = (strategy: string): (string | null | undefined)[] =>
      loaded(folder, { strategy }).points.map((point) => kind.skipReason?.(point, place));
    t.match(skipped('staged'), [/strategy `staged` needs a cuda device/]);
    t.same(skipped('kernel'), [null]);
  }),
);

const diskPools = (diskPath: string) => ({ deviceBlocks: 50, hostBlocks: 50, diskBlocks: 600, diskPath });

t.test('a disk without room for its tier is refused before anything runs', { skip: needsMount() }, (t) =>
  withSmallDisk(256, async (disk) => {
    await withTempDir(async (folder) => {
      const run = await runReplay(folder, { ranks: 1, jobs: [{ pools: diskPools(disk) }] });
      t.equal(run.status, 3);
      t.match(run.said, disk);
    });
  }),
);

t.test('a disk that fills while a replay runs does not hurt its tier', { skip: needsMount() }, (t) =>
  withSmallDisk(8 * 1024, async (disk, filler) => {
    await withTempDir(async (folder) => {
      // 600 blocks of 8 KiB. The rest of the disk is filled while requests still come, at their recorded times.
      const paced = { pacing: 'recorded', speedup: 20 };
      const running = runReplay(folder, { ranks: 1, jobs: [{ pools: diskPools(disk), ...paced }] });
      const ended = running.then(() => true);
      let isOver = false;
      while (!hasUnlinkedFile(disk) && !isOver) isOver = await Promise.race([ended, setTimeout(20, false)]);
      t.notOk(isOver, 'it runs');
      fill(filler, disk, 0);
      const run = await running;
      t.ok(Number(rowOf(run, 0, 'replay')['offloads_disk']) > 0, run.said);
      t.match(rowOf(run, 0, 'replay'), { status: 'ok', wrong: '0', failed_blocks: '0' });
    });
  }),
);
