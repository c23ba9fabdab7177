import t from 'tap';
import type { ErrorCode } from '../../../runner/errors.js';
import { ProgressWatch } from '../../../runner/engine/progress-watch.js';
import {
  describeCulprits,
  judge,
  type BadJudgement,
  type StageVerdict,
} from '../../../runner/engine/verdict.js';

interface Rest {
  readonly status?: StageVerdict['status'];
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly step?: string;
  readonly stop?: number;
  readonly awaitedPeer?: number;
  readonly iteration?: number;
  readonly advances?: boolean;
}

const word = (rank: number, rest: Rest = {}): StageVerdict =>
  ({
    rank,
    point: 0,
    step: 'measure',
    status: 'ok',
    stop: 0,
    word: '',
    code: 'E_JOB',
    message: '',
    awaitedPeer: -1,
    iteration: -1,
    advances: false,
    ...rest,
  }) as StageVerdict;

const judgeBad = (stage: string, verdicts: readonly StageVerdict[]): BadJudgement => {
  const judgement = judge(stage, verdicts);
  if (judgement.status === 'ok') throw new Error('expected trouble, received none');
  return judgement;
};

t.test('all well', async (t) => {
  t.same(judge('measure', [word(0), word(1)]), { status: 'ok', stage: 'measure', stop: 0 });
});

t.test('a failure outranks the time-outs and skips that it caused', async (t) => {
  const verdicts = [
    word(0, { status: 'timeout', code: 'E_TIMEOUT' }),
    word(1, { status: 'failed', code: 'E_IO', message: 'disk full' }),
    word(2, { status: 'peer' }),
  ];
  const judgement = judgeBad('measure', verdicts);
  t.match(judgement, { status: 'failed', fatal: undefined });
  t.same(
    judgement.culprits.map((v) => v.rank),
    [1],
  );
  t.equal(describeCulprits(judgement), 'rank 1 failed measure: disk full');
});

t.test('the hung rank is the one that others wait for and that waits for nobody', async (t) => {
  const waits = { status: 'timeout', code: 'E_TIMEOUT' } as const;
  const verdicts = [
    word(0, { ...waits, awaitedPeer: 2 }),
    word(1, { ...waits, awaitedPeer: 0 }),
    word(2, { ...waits, awaitedPeer: -1 }),
    word(3, { ...waits, awaitedPeer: -1 }),
  ];
  t.equal(judgeBad('measure', verdicts).hungRank, 2);
});

t.test('a rank that hangs is named also where it was told to stop before its own deadline', async (t) => {
  const verdicts = [
    word(0, { status: 'timeout', code: 'E_TIMEOUT', awaitedPeer: 1, message: 'no counts from rank 1' }),
    word(1, { status: 'peer', code: 'E_ABORTED', awaitedPeer: -1 }),
    word(2, { status: 'peer', code: 'E_ABORTED', awaitedPeer: 0 }),
  ];
  const judgement = judgeBad('measure', verdicts);
  t.match(judgement, { status: 'timeout', hungRank: 1, culprits: [{ rank: 1, code: 'E_TIMEOUT' }] });
  const said = /^rank 1 did not finish measure: .* by rank 0: no counts from rank 1$/;
  t.match(describeCulprits(judgement), said, 'what the other waited for is told');
});

t.test('where nobody knows whom it waits for, the rank behind in iterations hung', async (t) => {
  const verdicts = [5, 5, 3, 5].map((iteration, rank) =>
    word(rank, { status: 'timeout', code: 'E_TIMEOUT', iteration }),
  );
  t.equal(judgeBad('measure', verdicts).hungRank, 2);
});

t.test('ranks that all wait for each other: nobody is blamed', async (t) => {
  const verdicts = [2, 3, 0, 1].map((awaitedPeer, rank) =>
    word(rank, { status: 'timeout', code: 'E_TIMEOUT', iteration: 7, awaitedPeer }),
  );
  t.equal(judgeBad('measure', verdicts).hungRank, undefined);
  t.equal(judgeBad('measure', verdicts.slice(0, 1)).hungRank, 0, 'a rank that is alone late is');
});

t.test(
  'a point that is slow and still advances blames nobody, no matter who is an iteration behind',
  async (t) => {
    const late = { status: 'timeout', code: 'E_TIMEOUT' } as const;
    const slow = [7, 7, 6, 7].map((iteration, rank) =>
      word(rank, { ...late, iteration, advances: true, awaitedPeer: rank === 2 ? -1 : 2 }),
    );
    t.equal(judgeBad('measure', slow).hungRank, undefined);
    t.equal(judgeBad('measure', slow).culprits.length, 4);
    const hung = slow.map((verdict) => (verdict.rank === 1 ? { ...verdict, advances: false } : verdict));
    t.equal(judgeBad('measure', hung).hungRank, 1, 'the one that no longer advances is');
    t.equal(judgeBad('measure', slow.slice(2, 3)).hungRank, 2, 'a rank that is alone late is');
  },
);

t.test('iterations advance while the newest change is young for them', async (t) => {
  let iteration = -1;
  const watch = new ProgressWatch(20_000, () => iteration);
  t.teardown(() => watch.close());
  const start = performance.now();
  const at = (seconds: number, now: number): void => {
    iteration = now;
    watch.look(start + seconds * 1000);
  };
  t.notOk(watch.advances(start), 'outside a loop');
  at(1, 0);
  t.notOk(watch.advances(start + 1100), 'the first iteration tells nothing');
  at(2, 100);
  t.ok(watch.advances(start + 3500), 'two looks are a second apart');
  t.notOk(watch.advances(start + 4500), 'ten milliseconds each, and now seconds of nothing');
  at(5, 0);
  at(9, 1);
  t.ok(watch.advances(start + 20_000), 'four seconds each: eleven are no hang yet');
  t.notOk(watch.advances(start + 22_000));
});

t.test('a lost CUDA context ends the run, an ordinary failure does not', async (t) => {
  const failed = (rank: number, code: ErrorCode): StageVerdict => word(rank, { status: 'failed', code });
  t.equal(judgeBad('measure', [failed(0, 'E_CUDA')]).fatal, undefined);
  const both = judgeBad('measure', [failed(0, 'E_IO'), failed(1, 'E_CUDA_STICKY')]);
  t.match(both, { fatal: { rank: 1, code: 'E_CUDA_STICKY' } }, 'not for the sake of the first that failed');
});

t.test('ranks that are at different steps and all call themselves well have lost each other', async (t) => {
  const judgement = judgeBad('prepare', [
    word(0, { step: 'prepare' }),
    word(1, { step: 'prepare: handles' }),
  ]);
  t.match(judgement, { status: 'failed', fatal: { code: 'E_WORLD_LOST' } });
});

t.test('a signal on any rank stops all', async (t) => {
  t.equal(judge('measure', [word(0), word(1, { stop: 143 })]).stop, 143);
});

t.test('one rank that cannot here skips the point everywhere', async (t) => {
  const verdicts = [word(0), word(1, { status: 'skipped', code: 'E_UNSUPPORTED_HERE', message: 'no GPU' })];
  t.match(judgeBad('prepare', verdicts), { status: 'skipped', fatal: undefined });
});

t.test(
  'a rank that was told to stop by nobody failed by itself, and says so without a message',
  async (t) => {
    const judgement = judgeBad('measure', [word(0), word(1, { status: 'peer', code: 'E_ABORTED' })]);
    t.match(judgement, { status: 'failed', fatal: undefined, culprits: [{ rank: 1 }] });
    t.equal(describeCulprits(judgement), 'rank 1 failed measure');
  },
);

t.test('of ranks that are waited for by nobody, the one that waits for nobody hung', async (t) => {
  const late = { status: 'timeout', code: 'E_TIMEOUT' } as const;
  const verdicts = [word(0, { ...late, awaitedPeer: 2 }), word(1, late), word(2)];
  t.equal(judgeBad('measure', verdicts).hungRank, 1);
});
