/** What the ranks tell each other at the end of a run, and what a rank makes of an end without the others. */
import t from 'tap';
import { agreeOnEnd, measuredNothing } from '../../../runner/engine/end-agreement.js';
import type { LoopEnd } from '../../../runner/engine/points.js';
import type { Run } from '../../../runner/engine/run-state.js';
import { RunnerError } from '../../../runner/errors.js';

/** What ranks say at the end: the own word and that of the others. */
type Meet = (own: object) => Promise<object[]>;

function runOf(meet: Meet, failures: readonly RunnerError[] = []): Run {
  return {
    counts: { toJSON: () => ({ ok: 2 }) },
    failures,
    facts: { hostname: 'here' },
    stop: { budget: { endMs: 5 } },
    log: { error: () => {} },
    world: {
      info: { rank: 0 },
      native: { report: () => {}, deadRank: () => -1, liveness: () => [] },
      allgatherJson: meet,
    },
  } as unknown as Run;
}

const alone: Meet = async (own) => [own];
const lost: Meet = () => Promise.reject(new RunnerError('E_WORLD_LOST', 'gone'));
const WELL: LoopEnd = { exitStatus: 0, worldLost: false, hurried: false };
const full = new RunnerError('E_OUTPUT', 'disk full');

t.test('all ranks end with the worst status, and hear of each failure where it was', async (t) => {
  const other = {
    status: 124,
    counts: { timeout: 1 },
    hostname: 'there',
    failures: [{ code: 'E_OF_ANOTHER_BUILD', message: 'no space' }],
  };
  const agreed = await agreeOnEnd(
    runOf(async (own) => [own, other], [full]),
    3,
    WELL,
  );
  t.match(agreed, { status: 124, counts: [{ ok: 2 }, { timeout: 1 }], whole: true });
  t.same(
    agreed.failures.map(({ code, message }) => `${code} ${message}`),
    ['E_OUTPUT rank 0 on here: disk full', 'E_OUTPUT rank 1 on there: no space'],
  );
  const single = await agreeOnEnd(runOf(alone, [full]), 3, WELL);
  t.same(
    single.failures.map(({ message }) => message),
    ['disk full'],
    'of one rank it is clear where',
  );
});

t.test('without the others a rank ends by itself: fatally, unless a signal hurries it', async (t) => {
  const fatal = await agreeOnEnd(runOf(lost, [full]), 1, WELL);
  t.match(fatal, {
    status: 4,
    whole: false,
    failures: [full, { code: 'E_WORLD_LOST', message: /"the end": gone/ }],
  });
  const hurried = await agreeOnEnd(runOf(lost, [full]), 143, { ...WELL, hurried: true });
  t.match(hurried, { status: 143, whole: false });
  t.same(hurried.failures, [full]);
  const before = await agreeOnEnd(runOf(lost), 4, { ...WELL, worldLost: true });
  t.match(before, { status: 4, whole: false, failures: [] }, 'a world that is lost is not asked again');
});

t.test('a run of nothing but skipped points measured nothing', async (t) => {
  t.ok(measuredNothing([{ skipped: 2, ok: 0 }, { skipped: 1 }]));
  t.notOk(measuredNothing([{ skipped: 2, ok: 1 }]));
  t.notOk(measuredNothing([{}]), 'no point was to be measured');
});
