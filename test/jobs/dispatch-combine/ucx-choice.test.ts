/** dispatchCombine over the network where the user has said what UCX may use. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mpirunCli } from '../../helpers/mpirun.js';
import { needsMpi } from '../../helpers/require.js';
import { readRankRows } from '../../helpers/results.js';

t.setTimeout(600_000);

const spec = {
  device: 'host',
  defaults: { warmup: 1, iterations: 2, timeoutSeconds: 60, probe: false },
  jobs: [
    {
      id: 'ep',
      kind: 'dispatchCombine',
      hidden: 128,
      numTopk: 2,
      numExperts: 8,
      numTokens: 4,
      maxDispatchTokensPerRank: 8,
      transport: 'network',
    },
  ],
};

const missing = { status: 'skipped', error_code: 'E_NETWORK_MISSING' };
/** What is not here, or is none between nodes, is never silently replaced by something else. */
const CASES = [
  { env: { UCX_TLS: 'rc' }, row: { ...missing, error: /UCX_TLS=rc/ } },
  { env: { UCX_TLS: 'nonsense' }, row: { ...missing, error: /UCX_TLS=nonsense/ } },
  { env: { UCX_TLS: 'self' }, row: { ...missing, error: /UCX_TLS=self/ } },
  { env: { UCX_NET_DEVICES: 'mlx5_0:1' }, row: { ...missing, error: /UCX_NET_DEVICES=mlx5_0:1/ } },
  { env: { UCX_TLS: 'tcp,sm,self' }, row: { status: 'ok', wrong: '0', network_transport: /^tcp\// } },
];

for (const { env, row } of CASES) {
  t.test(JSON.stringify(env), { skip: needsMpi('openmpi') }, async (t) => {
    const folder = t.testdir();
    mkdirSync(join(folder, 'out'));
    writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec));
    const args = ['run', join(folder, 'spec.json'), '--out', join(folder, 'out'), '--run-id', 'x'];
    const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2, env }, args);
    t.equal(ended.status, 0, ended.stderr + ended.stdout);
    const rows = readRankRows(join(folder, 'out', 'x'));
    t.equal(rows.length, 2);
    for (const own of rows) {
      t.ok(own.length > 0, 'a row on every rank');
      for (const each of own) t.match(each, row);
    }
    t.notMatch(ended.stdout, /UCX\s+(WARN|ERROR|DIAG)/, 'nothing of UCX on standard output');
  });
}
