/** The addon where it must refuse: calls of a world that is down, and a second Node environment in one process. */
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { needsMpi } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';
import { parseJson } from '../helpers/json.js';

const program = join(projectRoot, 'dist', 'test', 'native', 'addon-process.js');

t.test(
  'every call after finalize is answered with E_STATE, and Node ends',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const ended = await run(process.execPath, [program, 'afterFinalize'], { timeoutMs: 120_000 });
    t.equal(ended.status, 0, ended.stderr);
    const said = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Record<string, string>;
    for (const [call, code] of Object.entries(said)) t.equal(code, 'E_STATE', call);
    t.equal(Object.keys(said).length, 7);
  },
);

for (const first of ['main', 'worker'] as const) {
  t.test(`a second environment is refused in words; the ${first} thread loads first`, async (t) => {
    const ended = await run(process.execPath, [program, `${first}First`], { timeoutMs: 120_000 });
    t.equal(ended.status, 0, ended.stderr);
    const said = parseJson<Record<string, string>>(ended.stdout);
    const second = first === 'main' ? 'worker' : 'main';
    t.equal(said[first], 'loaded');
    t.match(said[second] ?? '', /loaded in another thread of this process already/);
  });
}
