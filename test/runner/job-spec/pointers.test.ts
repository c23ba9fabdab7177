/** Places in a spec, and files that other ranks must find again. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { sha256Hex } from '../../../runner/job-spec/canonical.js';
import { rereadFile } from '../../../runner/job-spec/files.js';
import { keysOf, pointerOf, valueAt, writeAt } from '../../../runner/job-spec/pointer.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { brief, issuesOf, offloadJob } from './spec-fixture.js';

t.test('pointers are those of RFC 6901, and come back', async (t) => {
  for (const keys of [[], ['jobs', '0'], ['a/b', 'm~n', '~1', '']]) t.same(keysOf(pointerOf(keys)), keys);
  t.equal(pointerOf(['a/b', 'm~n']), '/a~1b/m~0n');
  const root = { a: { b: [1] }, text: 'x' };
  t.equal(valueAt(root, ['a', 'b', '0']), 1);
  t.equal(valueAt(root, ['a', '__proto__']), undefined, 'only what the spec itself holds');
  t.equal(valueAt(root, ['text', 'length', 'x']), undefined);
  t.ok(writeAt(root, ['new', 'deep'], 2));
  t.equal(valueAt(root, ['new', 'deep']), 2);
  t.notOk(writeAt(root, ['text', 'x'], 1), 'a text has no keys');
  t.notOk(writeAt(root, [], 1), 'the root is not written');
});

t.test('--set of what no spec has', async (t) => {
  const set = (...sets: string[]): string[] => brief(issuesOf({ jobs: [offloadJob()] }, { set: sets }));
  t.match(set('jobs=1'), [/"jobs=1"|jobs/]);
  t.match(set('jobs.5.blocks=1'), [/jobs\.5\.blocks/]);
  t.match(set('jobs.down.blokcs=1'), [/blokcs/]);
  const hints = (document: object): (string | undefined)[] =>
    issuesOf(document, { set: ['jobs.x.blocks=1'] })
      .filter(({ received }) => received === '--set jobs.x.blocks=1')
      .map(({ hint }) => hint);
  const { id: _, ...nameless } = offloadJob();
  t.same(hints({ jobs: [nameless, offloadJob()] }), ['jobs here: 0, down'], 'an index where there is no id');
  t.same(hints({ jobs: {} }), [undefined], 'no jobs to name');
  t.match(brief(issuesOf({ jobs: [3] }, { set: ['jobs.0.blocks=1'] })), [/--set jobs\.0\.blocks=1/, /3/]);
});

t.test('a file that this rank lacks, or has otherwise than rank 0', async (t) => {
  const folder = t.testdir({ same: 'text', other: 'texts' });
  const file = (name: string) => ({ path: join(folder, name), sha256: sha256Hex('text') });
  t.same(rereadFile(file('same'), {}, 100), { text: 'text' });
  const moved = { [sha256Hex('text')]: join(folder, 'same') };
  t.same(rereadFile(file('other'), moved, 100), { text: 'text' }, 'where the places say it lies here');
  t.match(rereadFile(file('other'), {}, 100), {
    wrong:
      /other on this rank: expected sha256 982d9e3e.*, as rank 0 read it, received .*: give every rank's host/,
  });
  t.match(rereadFile(file('none'), {}, 100), {
    wrong: /none on this rank: .*no such file: give every rank's host/,
  });
  t.match(rereadFile(file('same'), {}, 3), { wrong: /on this rank: 4 bytes/ });
  t.match(rereadFile({ ...file('same'), path: '/dev/null' }, {}, 3), {
    wrong: /a device, not a regular file/,
  });
  // A path of a socket has at most 107 characters.
  await withTempDir(async (short) => {
    const socket = createServer().listen(join(short, 's'));
    await once(socket, 'listening');
    const wrong = /s on this rank: a socket, not a regular file/;
    t.match(rereadFile({ ...file('s'), path: join(short, 's') }, {}, 3), { wrong });
    socket.close();
  });
});
