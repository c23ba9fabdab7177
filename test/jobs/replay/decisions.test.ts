/** What rank 0 decides from a trace that is not what it was when its requests were counted, and how its copies are made. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { countRequests, Decisions } from '../../../jobs/replay/decisions.js';
import type { ReplaySpec } from '../../../jobs/replay/spec.generated.js';
import { copyCtas } from '../../../jobs/replay/tiers.js';
import { mooncakeLine } from '../../helpers/traces.js';
import { goldenLayout, specOfJob } from '../../runner/job-spec/spec-fixture.js';

const JOB = {
  id: 'r',
  kind: 'replay',
  layout: goldenLayout,
  pools: { deviceBlocks: 512 },
  windows: 1,
} as const;

t.test(
  'a trace that loses requests while it is replayed is refused, not taken for a whole one',
  async (t) => {
    const path = join(t.testdir(), 'trace.jsonl');
    const lines = [0, 1, 2].map((time) => `${mooncakeLine(time, 512, `${time}`)}\n`);
    writeFileSync(path, lines.join(''));
    const spec = specOfJob<ReplaySpec>({ ...JOB, trace: { path } });
    const { requests } = await countRequests(spec, path);
    t.equal(requests, 3);
    writeFileSync(path, lines.slice(0, 2).join(''));
    const decisions = await Decisions.open(spec, path, requests);
    await t.rejects(decisions.window(), {
      code: 'E_TRACE',
      message:
        /trace\.jsonl: expected 3 requests, as counted before anything moved, received 2; replay a file that does not change/,
    });
  },
);

t.test(
  'sessions: a request follows the one before of its session, after the delay that its line gives',
  async (t) => {
    const path = join(t.testdir(), 'trace.jsonl');
    const lines = [
      mooncakeLine(0, 512, '1', ', "session_id": "a"'),
      mooncakeLine(1, 512, '2', ', "session_id": "b"'),
      mooncakeLine(2, 512, '3'),
      mooncakeLine(3, 512, '4', ', "session_id": "a", "delay": 7'),
    ];
    writeFileSync(path, lines.join('\n'));
    const arrivals = async (pacing: string): Promise<object> => {
      const spec = specOfJob<ReplaySpec>({ ...JOB, trace: { path }, pacing });
      const decisions = await Decisions.open(spec, path, lines.length);
      const { dueUs, delayUs, previous } = await decisions.window();
      await decisions.close();
      return { dueUs: [...dueUs], delayUs: [...delayUs], previous: [...previous] };
    };
    const delayUs = [-1, -1, -1, 7000];
    t.same(await arrivals('sessions'), { dueUs: [0, 1000, 2000, 3000], delayUs, previous: [-1, -1, -1, 0] });
    t.same(await arrivals('recorded'), { dueUs: [0, 1000, 2000, 3000], delayUs, previous: [-1, -1, -1, -1] });
    t.same(await arrivals('asFastAsPossible'), { dueUs: [0, 0, 0, 0], delayUs, previous: [-1, -1, -1, -1] });
  },
);

t.test('maxCtas caps what hands blocks on to other ranks, not the copies of a rank by itself', async (t) => {
  t.equal(copyCtas({ mode: 'sharded', maxCtas: 4 }), 8);
  t.equal(copyCtas({ mode: 'replicated', maxCtas: 4 }), 4);
  t.equal(copyCtas({ mode: 'replicated', maxCtas: 'uncapped' }), 8);
});
