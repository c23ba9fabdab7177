import t from 'tap';
import { parseTap } from '../../scripts/tests/cases.js';
import { closingLine, reportFile, skipFault } from '../../scripts/tests/report.js';

const MIXED = `TAP version 14
# Subtest: group
    # Subtest: one
        ok 1 - first
        ok 2 - second
        1..2
    ok 1 - one # time=1ms
    # Subtest: two
        not ok 1 - should be equal
          ---
          found: 1
          wanted: 2
          ...
        1..1
    not ok 2 - two # time=1ms
    ok 3 - three # SKIP needs root
    1..3
not ok 1 - group # time=3ms
ok 2 - bare assertion
1..2
`;

t.test('a case is a named test without tests inside, or an assertion on its own', async (t) => {
  const { cases, fault } = parseTap(MIXED);
  t.equal(fault, '');
  t.same(
    cases.map(({ name, status }) => [name, status]),
    [
      ['group > one', 'passed'],
      ['group > two', 'failed'],
      ['group > three', 'skipped'],
      ['bare assertion', 'passed'],
    ],
  );
  t.equal(cases[2]?.detail, 'needs root');
  t.match(cases[1]?.detail, /should be equal[^]*found: 1[^]*wanted: 2/);
});

t.test('output that stops before its plan is a fault', async (t) => {
  t.match(parseTap('TAP version 14\n1..3\nok 1 - a\n').fault, /test|plan/);
  t.match(parseTap('TAP version 14\nBail out! no disk\n').fault, /no disk/);
  t.same(parseTap('').cases, []);
});

t.test('a skip says what it needs, and in CI nothing is skipped that can be installed', async (t) => {
  t.equal(skipFault('needs 2 GPUs, found 0', true), null);
  t.equal(skipFault('needs srun: apt-get install slurm-wlm', false), null);
  t.match(skipFault('needs srun: apt-get install slurm-wlm', true), /can be installed/);
  t.match(skipFault('flaky', false), /without saying what it needs/);
  t.match(skipFault('', false), /without saying what it needs/);
});

t.test('the report counts each case once and shows what failed', async (t) => {
  const lines: string[] = [];
  const file = { path: '/x', name: 'test/x.test.js', heavy: false };
  const outcome = { file, cases: parseTap(MIXED).cases, durationMs: 10, stdout: '', stderr: 'a warning' };
  const [tally, skips] = reportFile(outcome, false, (line) => lines.push(line));
  t.same(tally, { passed: 2, failed: 1, skipped: 1 });
  t.same(skips, [{ name: 'test/x.test.js: group > three', reason: 'needs root' }]);
  t.match(lines.join('\n'), /FAILED test\/x[^]*not ok: group > two[^]*a warning/);
  t.equal(closingLine(tally), '2 passed, 1 failed, 1 skipped');
  t.equal(closingLine({ passed: 3, failed: 0, skipped: 0 }), '3 passed, 0 failed');
});
