/** The examples of docs/ci as their services would take them: parsed, and their commands run on a small spec. */
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse as parseYaml } from 'yaml';
import { projectRoot } from '../../runner/project.js';
import { firstMissing, needsMpi, needsSlurm } from '../helpers/require.js';
import { railrunner, run, runCli, type Finished } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { withSlurm } from '../testbed/slurm.js';

const exampleOf = (name: string): unknown =>
  parseYaml(readFileSync(join(projectRoot, 'docs', 'ci', name), 'utf8'));

/** A folder that looks like a clone to the commands: they find `bin/railrunner`, and write next to it. */
function cloneIn(folder: string): string {
  const clone = join(folder, 'clone');
  mkdirSync(clone);
  symlinkSync(join(projectRoot, 'bin'), join(clone, 'bin'));
  return clone;
}

/** As both services do: one bash that ends at the first command that fails. */
function runScript(
  clone: string,
  lines: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  return run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', lines.join('\n')], {
    cwd: clone,
    env,
  });
}

/** A spec whose only job fails: a file where a folder must be. */
const FAILING = {
  job: { to: 'disk', pools: { deviceBlocks: 8, diskBlocks: 8, diskPath: '/dev/null/no' } },
} as const;

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly if?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly on: object;
  readonly env: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly 'runs-on': unknown; readonly steps: readonly Step[] }>>;
}

t.test('GitHub: every step, in order, on a run that is good', { skip: needsMpi('openmpi') }, (t) =>
  withTempDir(async (folder) => {
    const workflow = exampleOf('github-action.yml') as Workflow;
    t.same(Object.keys(workflow.on), ['pull_request', 'push']);
    const steps = workflow.jobs['measure']?.steps ?? [];
    t.ok(
      steps.every((step) => (step.uses === undefined) !== (step.run === undefined)),
      'a step uses or runs',
    );
    t.ok(steps.every((step) => step.uses === undefined || /^[\w-]+\/[\w-]+@v\d+$/.test(step.uses)));
    const clone = cloneIn(folder);
    const summary = join(folder, 'summary.md');
    const env = {
      ...workflow.env,
      SPEC: writeSmallSpec(folder),
      RANKS: '2',
      GITHUB_RUN_ID: '7',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_STEP_SUMMARY: summary,
    };
    for (const name of ['Measure', 'Report', 'Summary']) {
      const ended = await runScript(clone, [steps.find((step) => step.name === name)?.run ?? 'exit 9'], env);
      t.equal(ended.status, 0, `${name}: ${ended.stderr}`);
    }
    t.match(readFileSync(summary, 'utf8'), /## railrunner: small/);
    const benchmark = steps.find((step) => step.uses?.startsWith('benchmark-action/'))?.with ?? {};
    t.equal(benchmark['tool'], 'customSmallerIsBetter');
    t.ok(existsSync(join(clone, benchmark['output-file-path'] ?? '?')), 'the action finds its file');
    const [setup, comment] = ['Set up', 'Comment'].map(
      (name) => steps.find((step) => step.name === name)?.run ?? '',
    );
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      scripts: object;
    };
    t.ok(Object.hasOwn(scripts, setup?.replace(/^npm run /, '') ?? ''));
    t.match(comment, /--body-file report\/report\.md$/);
  }),
);

interface GitLabJob {
  readonly script: readonly string[];
  readonly artifacts: {
    readonly when: string;
    readonly paths: readonly string[];
    readonly reports: { readonly junit: string };
  };
}

t.test(
  'GitLab: a good run passes, a run that fails is reported and fails',
  { skip: needsMpi('openmpi') },
  (t) =>
    withTempDir(async (folder) => {
      const { railrunner: job } = exampleOf('gitlab-ci.yml') as { railrunner: GitLabJob };
      t.equal(job.artifacts.when, 'always');
      const clone = cloneIn(folder);
      const good = await runScript(clone, job.script, {
        SPEC: writeSmallSpec(folder),
        RANKS: '2',
        CI_JOB_ID: '1',
      });
      t.equal(good.status, 0, good.stderr);
      for (const path of [...job.artifacts.paths, job.artifacts.reports.junit])
        t.ok(existsSync(join(clone, path)), path);
      t.notMatch(readFileSync(join(clone, job.artifacts.reports.junit), 'utf8'), /<failure/);

      const bad = await runScript(clone, job.script, {
        SPEC: writeSmallSpec(folder, FAILING),
        RANKS: '2',
        CI_JOB_ID: '2',
      });
      t.not(bad.status, 0);
      t.match(
        readFileSync(join(clone, job.artifacts.reports.junit), 'utf8'),
        /<failure/,
        'its report is there',
      );
    }),
);

t.test(
  'Slurm: the script as a batch job on two nodes, and as a job array',
  { skip: firstMissing(needsSlurm(), needsMpi('openmpi')), timeout: 600_000 },
  (t) =>
    withTempDir((folder) =>
      withSlurm(2, 2, async (slurm) => {
        const env = {
          RAILRUNNER: railrunner,
          SPEC: writeSmallSpec(folder),
          RESULTS: join(folder, 'results'),
        };
        const script = join(projectRoot, 'docs', 'ci', 'slurm.sh');
        const args = [
          '--wait',
          '--nodes=2',
          '--ntasks-per-node=2',
          `--output=${folder}/job-%j.log`,
          `--chdir=${folder}`,
          script,
        ];
        const ended = await slurm.run(['sbatch', ...args], { env, timeoutMs: 400_000 });
        const log = (): string =>
          readdirSync(folder)
            .filter((name) => name.endsWith('.log'))
            .map((name) => readFileSync(join(folder, name), 'utf8'))
            .join('\n');
        t.equal(ended.status, 0, `${ended.stderr}\n${log()}`);
        const found = readdirSync(env.RESULTS).toSorted();
        t.match(found, [/^slurm-\d+$/, /^slurm-\d+-report$/]);
        t.match(
          readFileSync(join(env.RESULTS, found[1] ?? '', 'report.md'), 'utf8'),
          /1 run, 2 rows: 2 ok\. Nothing is missing/,
        );
        t.match(log(), /Nothing is missing/);

        const parts = await slurm.run(['sbatch', '--array=1-2', ...args], { env, timeoutMs: 400_000 });
        t.equal(parts.status, 0, `${parts.stderr}\n${log()}`);
        const shards = readdirSync(env.RESULTS).filter((name) => /^slurm-\d+-\d$/.test(name));
        t.equal(shards.length, 2);
        const joined = await runCli([
          'report',
          ...shards.map((name) => join(env.RESULTS, name)),
          '--out',
          join(folder, 'joined'),
        ]);
        t.match(joined, { status: 0, stdout: /^1 run, 2 rows: 2 ok\. Nothing is missing/ }, joined.stderr);
      }),
    ),
);
