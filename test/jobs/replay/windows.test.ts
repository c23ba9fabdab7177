/** What crosses the wire from rank 0, and what names a block's content. */
import t from 'tap';
import { ContentIds } from '../../../jobs/replay/content-ids.js';
import { Decisions, countRequests } from '../../../jobs/replay/decisions.js';
import type { ReplaySpec } from '../../../jobs/replay/spec.generated.js';
import { movesOf } from '../../../jobs/replay/window-builder.js';
import { decodeWindow, encodeWindow, type ReplayWindow } from '../../../jobs/replay/window.js';
import { PrefixTree } from '../../../jobs/traces/prefix-tree.js';
import type { HashId } from '../../../jobs/traces/request.js';
import { JOB_KINDS } from '../../../jobs/index.js';
import { loadSpec } from '../../../runner/job-spec/load.js';
import { SMALL_TRACE } from '../../helpers/run-replay.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

async function specOf(job: object): Promise<ReplaySpec> {
  return await withTempDir(async (folder) => {
    const path = join(folder, 'spec.json');
    const own = {
      id: 'a',
      kind: 'replay',
      trace: { path: SMALL_TRACE, requests: 50 },
      layout: { numLayers: 1, outerDim: 1, innerDim: 8 },
      pools: { deviceBlocks: 60, hostBlocks: 90, diskBlocks: 120 },
      ...job,
    };
    writeFileSync(path, JSON.stringify({ name: 'a', jobs: [own] }));
    return loadSpec(path, { kinds: JOB_KINDS }).points[0]?.spec as unknown as ReplaySpec;
  });
}

async function windowsOf(spec: ReplaySpec): Promise<ReplayWindow[]> {
  const totals = await countRequests(spec, SMALL_TRACE);
  const decisions = await Decisions.open(spec, SMALL_TRACE, totals.requests);
  const windows: ReplayWindow[] = [];
  do windows.push(await decisions.window());
  while (windows.at(-1)?.isLast === false);
  await decisions.close();
  return windows;
}

t.test('windows hold every request once, in order, and the warm-up apart', async (t) => {
  const windows = await windowsOf(await specOf({ windows: 4, warmupRequests: 10 }));
  t.same(
    windows.map(({ firstRequest, dueUs, isWarmup }) => [firstRequest, dueUs.length, isWarmup]),
    [
      [0, 10, true],
      [10, 10, false],
      [20, 10, false],
      [30, 10, false],
      [40, 10, false],
    ],
  );
  const blocks = windows
    .slice(1)
    .reduce((sum, { numBlocks }) => sum + numBlocks.reduce((a, b) => a + b, 0), 0);
  t.equal(windows.at(-1)?.cache.blocks, blocks, 'counts are of what counts');
});

t.test('a window comes through the wire as it was; anything else is refused', async (t) => {
  const [window] = await windowsOf(await specOf({ windows: 1 }));
  if (window === undefined) throw new Error('no window');
  const bytes = encodeWindow(window);
  t.same(decodeWindow(bytes), window);
  t.ok([...movesOf(window)].some(({ list, begin, end }) => list === 'disk->device' && end > begin));
  for (const length of [0, 3, 10, 200, bytes.length - 8, bytes.length - 1]) {
    t.throws(() => decodeWindow(bytes.subarray(0, length)), { code: 'E_WORLD_LOST' }, `${length} bytes`);
  }
  t.throws(() => decodeWindow(Buffer.concat([bytes, Buffer.alloc(8)])), { code: 'E_WORLD_LOST' });
  const longer = Buffer.from(bytes);
  longer.writeUInt32LE(0xffffffff);
  t.throws(() => decodeWindow(longer), { code: 'E_WORLD_LOST' });
  for (const header of ['{}', '{"requests": -1, "moves": 0}', '{"requests": 0, "moves": 1e9}', '[']) {
    const other = Buffer.from(`\0\0\0\0${header}`);
    other.writeUInt32LE(header.length);
    const message =
      /rank 0 sent \d+ bytes that are no window of moves: its header has no counts\. Do all ranks run/;
    t.throws(() => decodeWindow(other), { code: 'E_WORLD_LOST', message }, header);
  }
});

t.test('a block is named by its id and all before it, alike in every run', async (t) => {
  const named = (requests: readonly (readonly HashId[])[]): Map<string, string> => {
    const [tree, contents] = [new PrefixTree(), new ContentIds()];
    const names = new Map<string, string>();
    for (const ids of requests) {
      tree.walk(ids, 0);
      const path = tree.path(new Int32Array(4));
      contents.add(path, ids);
      ids.forEach((_, at) => {
        const block = path[at] ?? 0;
        names.set(ids.slice(0, at + 1).join(), `${contents.high(block)} ${contents.low(block)}`);
      });
    }
    return names;
  };
  const one = named([[1, 2, 3], [1, 2, 4], [2, 3], [5, 2], [2n ** 60n, 'ab'], [2n ** 60n + 2n ** 40n]]);
  t.equal(new Set(one.values()).size, one.size, 'no two are alike');
  const other = named([
    [2, 3],
    [1, 2, 4],
    [1, 2, 3],
  ]);
  for (const [ids, name] of other) t.equal(one.get(ids), name, 'whatever came before');
});

t.test('what a rank lacks is no longer in the tier', async (t) => {
  const spec = await specOf({ windows: 2, pools: { deviceBlocks: 40, hostBlocks: 400 } });
  const totals = await countRequests(spec, SMALL_TRACE);
  const hitsOf = async (lost: boolean): Promise<number> => {
    const decisions = await Decisions.open(spec, SMALL_TRACE, totals.requests);
    await decisions.window();
    if (lost) for (let slot = 0; slot < 400; slot++) decisions.forget('host', slot);
    const { cache } = await decisions.window();
    await decisions.close();
    return cache.hits[1] ?? 0;
  };
  const [whole, less] = [await hitsOf(false), await hitsOf(true)];
  t.ok(less < whole, `${less} hits in the host instead of ${whole}`);
});
