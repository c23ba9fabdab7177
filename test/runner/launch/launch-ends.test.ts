/** How `launch` ends when its mpirun ends in this way or that. The mpirun is a shell script of the test. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Launcher } from '../../../runner/environment/launcher.js';
import { launchEnvironment, refuseNested } from '../../../runner/launch/mpirun.js';
import { startRanks } from '../../../runner/launch/start-ranks.js';
import { railrunner, runCli, start, type Finished } from '../../helpers/run-cli.js';
import { writeSmallSpec } from '../../helpers/small-spec.js';

interface Stage {
  readonly folder: string;
  /** The words of `launch` in it. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A folder with a spec and, on PATH, only an mpirun that calls itself `version` and then runs `body`. */
function stageWith(t: Test, body: string, version = 'mpirun (Open MPI) 4.1.4'): Stage {
  const folder = t.testdir();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = `#!/bin/sh\n[ "$1" = --version ] && echo "${version}" && exit 0\n${body}\n`;
  writeFileSync(join(bin, 'mpirun'), script);
  chmodSync(join(bin, 'mpirun'), 0o755);
  const spec = writeSmallSpec(folder);
  return {
    folder,
    words: ['launch', '-n', '2', spec, '--out', join(folder, 'out'), '--run-id', 'r'],
    env: { PATH: bin },
  };
}

async function launchOn(t: Test, body: string): Promise<Finished> {
  const { words, env } = stageWith(t, body);
  return await runCli(words, { env });
}

t.test('a launcher that says 0 without a manifest of the run has not run it', async (t) => {
  t.equal((await launchOn(t, 'exit 0')).status, 4);
});

t.test('an mpirun that cannot be started is no MPI, and is named', async (t) => {
  const { folder, words, env } = stageWith(t, 'exit 0');
  writeFileSync(join(folder, 'bin', 'mpirun'), '#!/nowhere/sh\n');
  t.match(await runCli(words, { env }), {
    status: 3,
    stderr: /E_MPI_MISSING: .*found \S+\/bin\/mpirun, none of them Open MPI or MPICH/,
  });
});

t.test('a status that the launcher gives stays, also that of a signal', async (t) => {
  t.equal((await launchOn(t, 'exit 9')).status, 9);
  t.equal((await launchOn(t, 'kill -KILL $$')).status, 128 + 9);
});

t.test("the manifest's status counts, whatever the launcher makes of it", async (t) => {
  const manifest = (text: string): string =>
    `out="${join(t.testdirName, 'out', 'r')}"; /bin/mkdir -p "$out"; echo '${text}' > "$out/manifest.json"; exit 9`;
  t.equal((await launchOn(t, manifest('{"exitStatus":124}'))).status, 124);
  t.equal((await launchOn(t, manifest('{"exit'))).status, 9, 'half a manifest says nothing');
  t.equal((await launchOn(t, manifest('{"exitStatus":null}'))).status, 9, 'nor does one without a status');
});

t.test('a signal reaches an mpirun that has no ranks yet, and is how the launch ended', async (t) => {
  const { words, env } = stageWith(
    t,
    `trap 'echo told; exit 0' TERM\necho up\nwhile :; do /bin/sleep 0.1; done`,
  );
  const running = start(process.execPath, [railrunner, ...words], { env });
  await running.waitFor(/up/);
  running.child.kill('SIGINT');
  const ended = await running.finished;
  t.match(ended, { status: 130, stdout: /told/ });
});

t.test('what is no mpirun of ours is refused with what was found', async (t) => {
  const { words, env } = stageWith(t, 'exit 0', 'HPE MPT 2.3');
  t.match(await runCli(words, { env }), {
    status: 3,
    stderr: /E_MPI_MISSING: no mpirun: .*found \S+bin\/mpirun, none of them Open MPI or MPICH\. Install one/,
  });
  const ours = stageWith(t, 'exit 0');
  t.match(await runCli([...ours.words, '--mpi', 'mpich'], { env: ours.env }), {
    status: 3,
    stderr: /none of them mpich/,
  });
});

t.test('without any mpirun it says that none was found', async (t) => {
  const { words, folder } = stageWith(t, 'exit 0');
  for (const PATH of [folder, undefined]) {
    t.match(await runCli(words, { env: { PATH } }), {
      status: 3,
      stderr: /E_MPI_MISSING: no mpirun: .* on PATH, found none\. Install one/,
    });
  }
});

t.test('a signal that came before there was an mpirun ends it at once', async (t) => {
  const { words, env, folder } = stageWith(t, 'trap "exit 7" TERM; while :; do /bin/sleep 0.1; done');
  const early = join(folder, 'early.cjs');
  // As soon as railrunner listens, which it does before anything else.
  writeFileSync(
    early,
    `const look = setInterval(() => {
      if (process.listenerCount('SIGUSR1') === 0) return;
      clearInterval(look);
      process.kill(process.pid, 'SIGUSR1');
    }, 1);`,
  );
  t.match(await runCli(words, { env: { ...env, NODE_OPTIONS: `--require=${early}` } }), { status: 143 });
});

t.test('ranks are told whether the output is a terminal', async (t) => {
  const line = { path: '', words: [], command: ['node'], variables: {}, text: '' };
  const before = process.stdout.isTTY;
  t.teardown(() => Object.assign(process.stdout, { isTTY: before }));
  for (const [isTTY, told] of [
    [true, '1'],
    [false, '0'],
  ] as const) {
    Object.assign(process.stdout, { isTTY });
    t.equal(launchEnvironment(line)['RAILRUNNER_TERMINAL'], told);
  }
});

t.test('an mpirun that cannot be started is an error, not a run', async (t) => {
  const line = { path: join(t.testdir(), 'mpirun'), words: [], command: ['node'], variables: {}, text: '' };
  const request = { line, environment: {}, folder: t.testdirName, stopGraceSeconds: undefined };
  await t.rejects(startRanks(request), { code: 'ENOENT' });
});

t.test('the printed line can be pasted into a shell', async (t) => {
  const { words, env } = stageWith(t, 'exit 0');
  const { stdout, status } = await runCli([...words, '--print-only', '--set', "name=it's mine"], { env });
  t.equal(status, 0);
  t.match(stdout, `--set 'name=it'\\''s mine'`);
  // Each word that the shell makes of it, on a line of its own.
  const read = spawnSync('sh', ['-c', `printf '%s\\n' ${stdout}`], { encoding: 'utf8' });
  t.match(read.stdout, "\n--set\nname=it's mine\n");
});

t.test('a launch by several ranks is refused, one by a single rank is not', async (t) => {
  const launcher = (more: Partial<Launcher>): Launcher =>
    ({ name: "Slurm's srun", size: 4, speaks: null, contradiction: undefined, ...more }) as Launcher;
  const refused = {
    code: 'E_LAUNCHER_MISMATCH',
    message: /Slurm's srun has started 4 of it.*use run in place/s,
  };
  t.throws(() => refuseNested(launcher({})), refused);
  t.throws(() => refuseNested(launcher({ contradiction: 'none of them speaks PMIx' })), refused);
  t.doesNotThrow(() => refuseNested(launcher({ size: 1 })));
  t.doesNotThrow(() => refuseNested(launcher({ size: null })), 'nobody knows of others');
  t.doesNotThrow(() => refuseNested(launcher({ contradiction: 'two launchers', speaks: 'mpich' })));
});
