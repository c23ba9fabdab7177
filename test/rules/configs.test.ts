/** Every spec that is shipped can be run: it is legal, and so is its plan for four ranks. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../jobs/index.js';
import { planPoints } from '../../runner/job-spec/plan.js';
import { requireRunnable } from '../../runner/job-spec/require-runnable.js';
import { projectRoot } from '../../runner/project.js';
import { readJson } from '../helpers/json.js';

const WORLD_SIZE = 4;
const configs = join(projectRoot, 'configs');

const specs = readdirSync(configs, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.json') && !path.startsWith('schema/'))
  .filter((path) => 'jobs' in readJson<object>(join(configs, path)))
  .sort();

t.ok(specs.length > 12, `${specs.length} specs`);

for (const path of specs) {
  t.test(path, async (t) => {
    const spec = requireRunnable(join(configs, path), WORLD_SIZE, { kinds: JOB_KINDS });
    const plans = planPoints(spec, JOB_KINDS, WORLD_SIZE);
    t.equal(plans.length, spec.points.length);
    for (const { point, ranks } of plans) {
      const sizes = ranks.flatMap(({ memoryBytes, payloadBytes }) => [
        ...Object.values(memoryBytes),
        payloadBytes,
      ]);
      t.ok(
        sizes.every((bytes) => Number.isSafeInteger(bytes) && bytes >= 0),
        `point ${point.index} of ${point.job.id}`,
      );
    }
  });
}
