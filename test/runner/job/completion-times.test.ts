/** What ranks tell each other of their samples while a point goes on. */
import t from 'tap';
import { CompletionTimes } from '../../../runner/job/completion-times.js';
import type { PointContext } from '../../../runner/job/context.js';
import { takeSamples } from '../../../runner/job/take-samples.js';

t.test('what a rank says of its samples is looked at before it counts', async (t) => {
  const word = (samples: Record<string, string>) => ({
    elapsedSeconds: 0,
    secondsPerIteration: 0,
    remainingSeconds: 0,
    samples,
  });
  const base64 = (...timesUs: number[]): string =>
    Buffer.from(Float64Array.from(timesUs).buffer).toString('base64');
  const good = word({ total: base64(1, 2) });
  for (const [text, received] of [
    [base64(1, 2, 3), 'received 3'],
    [base64(1, 2).slice(0, 8), 'received something else'],
    [base64(1, Infinity), 'received something else'],
  ] as const) {
    t.throws(() => new CompletionTimes().add([good, word({ total: text })], 2), {
      code: 'E_STATE',
      message: `stopping: rank 1, total: expected 2 times in a batch, ${received}`,
    });
  }
  const completion = new CompletionTimes();
  t.equal(completion.noisePct(), Infinity, 'nothing was timed');
  completion.add([good], 2);
  t.equal(completion.noisePct(), Infinity, 'too few to tell');
});

t.test('a point whose noise is not known says so, and goes on to its end', async (t) => {
  const rule = { maxNoisePct: 1, minIterations: 50, maxIterations: 60, maxSeconds: 1e6 };
  const said: string[] = [];
  const context = {
    samples: { warmup: 0, iterations: rule.minIterations, freeRunning: false },
    stopping: rule,
    remainingMs: () => 1e9,
    progress: (_: number, __: number, what: string) => said.push(what),
    wordsOfAll: async (_: string, own: string) => [own],
  } as unknown as PointContext;
  const sampled = await takeSamples(context, async () => ({ phases: [], stopped: false }));
  t.match(sampled, { iterations: 60, stoppedBy: 'maxIterations' });
  t.same(said, Array(2).fill('iterations at most, noise not known'));
});
