import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { needsMpi } from '../helpers/require.js';
import { runCli, railrunner, start } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { readJson } from '../helpers/json.js';

const skip = needsMpi('openmpi');
const LIMIT_MS = 900_000;
t.setTimeout(LIMIT_MS);

interface VerdictFile {
  readonly exitStatus: number;
  readonly baseline: string;
  readonly candidate: string;
  readonly keys: readonly { readonly key: string; readonly word: string; readonly basis: string }[];
  readonly problems: readonly string[];
}

function onlyFolder(out: string): string {
  const name = readdirSync(out).find((entry) => entry.startsWith('ab-')) ?? '';
  return join(out, name);
}

const readVerdict = (folder: string): VerdictFile => readJson<VerdictFile>(join(folder, 'verdict.json'));

const TINY = { numPoints: 2, iterations: 200, job: { pools: { deviceBlocks: 64, hostBlocks: 64 } } } as const;

t.test('twice the work is found in fresh pairs of its points, and the comparison is kept', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, TINY);
    const out = join(folder, 'out');
    // 16 times the blocks: far beyond any noise of a loaded machine.
    const words = ['ab', spec, '--out', out, '--a', 'UCX_TLS=tcp', '--b', '--set jobs.0.blocks=64'];
    const ended = await runCli(words, { timeoutMs: LIMIT_MS }); // 32 runs
    t.equal(ended.status, 5, ended.stdout + ended.stderr);
    const comparison = onlyFolder(out);
    const verdict = readVerdict(comparison);
    t.match(verdict, { exitStatus: 5, baseline: 'A (UCX_TLS=tcp)', candidate: 'B (--set jobs.0.blocks=64)' });
    t.same(
      verdict.keys.map(({ word, basis }) => [word, basis]),
      [
        ['regressed', 'confirmed'],
        ['regressed', 'confirmed'],
      ],
    );
    const page = readFileSync(join(comparison, 'report', 'report.html'), 'utf8');
    t.match(page, /A against B<\/a>: regression: 2 regressed/);
    const runs = readdirSync(join(comparison, 'runs')).sort();
    t.same(runs.slice(0, 3), ['s1-p01-a', 's1-p01-b', 's1-p02-a']);
    t.equal(runs.length, 2 * 6 + 2 * 10);
    const startOf = (name: string): number =>
      Date.parse(
        (
          JSON.parse(readFileSync(join(comparison, 'runs', name, 'manifest.json'), 'utf8')) as {
            startedAt: string;
          }
        ).startedAt,
      );
    t.ok(startOf('s1-p02-b') < startOf('s1-p02-a'), 'the second pair begins with B');

    // Half of a pair is gone: the whole pair is measured again, and nothing else.
    rmSync(join(comparison, 'runs', 's1-p03-a'), { recursive: true });
    const kept = statSync(join(comparison, 'runs', 's1-p01-a')).mtimeMs;
    const resumed = await runCli([...words.slice(0, 2), ...words.slice(4), '--resume', comparison]);
    t.equal(resumed.status, 5, resumed.stderr);
    t.equal(resumed.stderr.match(/measuring /g)?.length, 2);
    t.equal(statSync(join(comparison, 'runs', 's1-p01-a')).mtimeMs, kept);
    const other = await runCli(['ab', spec, '--b', '--set jobs.0.blocks=5', '--resume', comparison]);
    t.equal(other.status, 2);
    t.match(other.stderr, /expected the builds, spec and options of ab\.json/);
  }),
);

t.test('a budget or a signal ends it without a verdict, and what was measured stays', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, TINY);
    const out = join(folder, 'short');
    // Ends while the first run starts.
    const short = await runCli(['ab', spec, '--out', out, '--budget', '0.3']);
    t.equal(short.status, 6, short.stdout + short.stderr);
    t.match(short.stdout, /problem: ended early: 0 of 6 pairs/);
    const killed = join(folder, 'killed');
    const running = start(process.execPath, [railrunner, 'ab', spec, '--out', killed]);
    await running.waitFor(/measuring s1-p02-b/);
    process.kill(running.child.pid as number, 'SIGTERM');
    const ended = await running.finished;
    t.equal(ended.status, 143, ended.stderr);
    t.match(ended.stdout, /no verdict/);
    t.ok(existsSync(join(onlyFolder(killed), 'runs', 's1-p01-b', 'manifest.json')));
  }),
);

t.test('what cannot be compared is refused with what to do', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, TINY);
    const refused: [string[], RegExp][] = [
      [['--b', join(folder, 'nowhere')], /--b: expected NAME=value words.*is not there/],
      [['--b', '"open'], /--b: expected every quote to be closed/],
      [['--b', '--sett x=1'], /--b: its run ended with exit status 2.*\n.*\n?.*sett/s],
      [['--pairs', '3'], /--pairs: expected a whole number from 6/],
      [['--budget', '0'], /--budget: expected seconds above 0/],
      [['--launcher', 'no-such-launcher'], /no-such-launcher cannot be started/],
    ];
    for (const [words, expected] of refused) {
      const ended = await runCli(['ab', spec, '--out', join(folder, 'out'), ...words]);
      t.equal(ended.status, 2, words.join(' '));
      t.match(ended.stderr, expected, words.join(' '));
    }
  }),
);
