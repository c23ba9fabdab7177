import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { parseEnvironment, VARIABLES } from '../../../runner/environment/variables.js';
import { environmentKeys, setEnvironmentKeys } from '../../../runner/job-spec/environment-keys.js';
import { jobIssues, loadJob, offloadJob } from '../job-spec/spec-fixture.js';

const NO_INTEGERS = ['-1', '1.5', '0x10', 'many', '1e9'];

t.test('settings of the runner are typed, and nonsense is refused by name', async (t) => {
  const { settings } = parseEnvironment({
    RAILRUNNER_THREADS_PER_RANK: '6',
    RAILRUNNER_PEER_TIMEOUT_SECONDS: '',
    RAILRUNNER_FAULT: 'throw:measure:1',
  });
  t.match(settings, { threadsPerRank: 6, peerTimeoutSeconds: undefined, fault: 'throw:measure:1' });
  for (const { name, ...entry } of Object.values(VARIABLES)) {
    if (!('range' in entry)) continue;
    const [min, max] = entry.range;
    for (const text of [...NO_INTEGERS, String(min - 1), String(max + 1)]) {
      t.throws(() => parseEnvironment({ [name]: text }), { code: 'E_USAGE', message: new RegExp(name) });
    }
  }
});

t.test(
  'variables that fix keys of jobs are refused by name where they are no integer of their range',
  async (t) => {
    t.ok(environmentKeys(JOB_KINDS).length > 3);
    for (const { name, range } of environmentKeys(JOB_KINDS)) {
      for (const text of [...NO_INTEGERS, String(range[0] - 1), String(range[1] + 1)]) {
        t.throws(() => setEnvironmentKeys(JOB_KINDS, { [name]: text }), {
          code: 'E_USAGE',
          message: new RegExp(name),
        });
      }
    }
  },
);

t.test('a variable for another mode or kind does not change the spec', async (t) => {
  const variables = { DYN_KVBM_NCCL_MAX_CTAS: '4', MSCCLPP_EP_NUM_PROXIES: '2' };
  const [point] = loadJob(offloadJob(), { variables }).points;
  t.equal(point?.spec['maxCtas'], 4, 'it is recorded, and means nothing to a sharded job');
  t.notOk(Object.hasOwn(point?.spec ?? {}, 'numProxies'));
  t.equal(jobIssues(offloadJob({ maxCtas: 4 }))[0]?.pointer, '/jobs/0/maxCtas');
});
