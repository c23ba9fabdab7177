import t from 'tap';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import yargs from 'yargs';
import { ERROR_CATALOGUE } from '../../../runner/errors.js';
import { withOptions } from '../../../runner/cli/options.js';
import { loadOptions } from '../../../runner/cli/spec-options.js';
import { refuseRepeatedOptions } from '../../../runner/cli/repeated-options.js';
import { projectRoot } from '../../../runner/project.js';
import { run, runCli } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('an option given twice is refused by name, before anything is written', async (t) => {
  await withTempDir(async (folder) => {
    const cases = [
      ['launch', '-n', '2', 'x.json', '--out', 'a', '--out', 'b'],
      ['run', 'x.json', '--out=a', '--out', 'b'],
      ['run', 'x.json', '--run-id', 'a', '--runId', 'b'],
      ['plan', 'x.json', '--world-size', '1', '--world-size=2'],
      ['doctor', '--json', '--no-json'],
    ];
    for (const args of cases) {
      const { status, stderr } = await runCli(args, { cwd: folder });
      t.equal(status, 2, args.join(' '));
      t.match(stderr, /--[\w-]+ was given twice/);
    }
    t.same(readdirSync(folder), []);
  });
});

t.test('sentences do not follow the language of the shell', async (t) => {
  for (const language of ['de_DE.UTF-8', 'fr_FR.UTF-8', 'zh_CN.UTF-8']) {
    const { stderr } = await runCli(['validat', 'x.json'], { env: { LC_ALL: language, LANG: language } });
    t.match(stderr, /unknown command "validat": did you mean "validate"\?/, language);
  }
});

t.test('a misspelt command says what was meant, any other word which commands there are', async (t) => {
  for (const [word, said] of [
    ['luanch', /^railrunner: E_USAGE: unknown command "luanch": did you mean "launch"\?/],
    ['comprae', /unknown command "comprae": did you mean "compare"\?/],
    ['frobnicate', /unknown command "frobnicate": known here: run, launch, validate, plan, /],
  ] as const) {
    const { status, stderr } = await runCli([word, 'x.json']);
    t.equal(status, 2, stderr);
    t.match(stderr, said);
  }
});

t.test('a command without its argument names the argument and shows its form', async (t) => {
  for (const form of [
    'run <spec>',
    'launch <spec>',
    'validate <specs..>',
    'example <kind>',
    'compare <candidate..>',
  ]) {
    const [command = '', argument = ''] = form.split(' ');
    const { status, stderr } = await runCli([command]);
    t.equal(status, 2, stderr);
    t.ok(
      stderr.startsWith(`railrunner: E_USAGE: ${argument} is missing: expected \`railrunner ${form}\``),
      stderr,
    );
  }
});

t.test('an option before the command does not hide what the command lacks', async (t) => {
  const { status, stderr } = await runCli(['--no-color', 'validate']);
  t.equal(status, 2);
  t.match(stderr, '<specs..> is missing: expected `railrunner validate <specs..>`');
});

t.test('help and an example as a user asks for them', async (t) => {
  const help = await runCli(['plan', '--help']);
  t.match(help, { status: 0, stdout: /railrunner plan <spec>[^]*--world-size/, stderr: '' });
  const example = await runCli(['example', 'onboard']);
  t.match(example, { status: 0, stdout: /"kind": "onboard"/, stderr: '' });
  t.match(await runCli(['example', 'onbaord']), { status: 2, stderr: /onbaord/ });
});

t.test('what follows -- is no option', async (t) => {
  t.doesNotThrow(() => refuseRepeatedOptions(['run', '--out', 'a', '--', '--out', '--out']));
  t.throws(() => refuseRepeatedOptions(['run', '--out', 'a', '--out=b', '--']), { code: 'E_USAGE' });
});

t.test('a number that is none is said as it was typed, and a missing one as missing', async (t) => {
  const range = /--world-size: expected a whole number from 1 to 65536, received "(two|1e2x|NaN)"/;
  for (const word of ['two', '1e2x', 'NaN']) {
    const { status, stderr } = await runCli(['plan', 'x.json', '--world-size', word]);
    t.equal(status, 2, word);
    t.match(stderr, range);
  }
  for (const [words, said] of [
    [['launch', '-n', 'two', 'x.json'], /-n: expected a number, received "two"/],
    [['run', 'x.json', '--timeout', '5s'], /--timeout: expected .*, received "5s"/],
    [['ab', 'x.json', '-n', 'all'], /-n: expected a whole number from 1 to 10000, received "all"/],
    [['plan', 'x.json', '--world-size'], /Not enough arguments following: world-size/],
  ] as const) {
    const { status, stderr } = await runCli(words);
    t.equal(status, 2, words.join(' '));
    t.match(stderr, said);
    t.notMatch(stderr, 'NaN', words.join(' '));
  }
});

t.test('a value that is none of those expected is said with the name that the user knows', async (t) => {
  const parserOf = () =>
    yargs([])
      .exitProcess(false)
      .fail((_, error) => {
        throw error;
      })
      .command(
        'count <times>',
        'counts',
        (told) =>
          withOptions<{ times: number; upTo: number }>(told, {
            times: { positional: true, type: 'number', describe: 'How often', required: true },
            upTo: { type: 'number', describe: 'How far', default: 1 },
          }),
        () => {},
      );
  await t.rejects(async () => parserOf().parseAsync(['count', 'x']), {
    message: 'times: expected a number, received "x"',
  });
  await t.rejects(async () => parserOf().parseAsync(['count', '1', '--up-to', 'x']), {
    message: '--up-to: expected a number, received "x"',
  });
});

t.test('values out of range are refused by name', async (t) => {
  for (const [words, said] of [
    [['plan', 'x.json', '--timeout', '0'], '--timeout: expected seconds above 0, at most 86400, received 0'],
    [
      ['plan', 'x.json', '--timeout', '1e9'],
      '--timeout: expected seconds above 0, at most 86400, received 1000000000',
    ],
    [['simulate', 'x', '--ttl-seconds', '0'], '--ttl-seconds: expected a number above 0, received 0'],
    [
      ['report', 'x', '--verdict', 'v.json', '--against', 'y'],
      '--verdict: it was passed on runs already, so leave out --against',
    ],
  ] as const) {
    const { status, stderr } = await runCli([...words]);
    t.equal(status, 2, stderr);
    t.ok(stderr.startsWith(`railrunner: E_USAGE: ${said}\n`), stderr);
  }
});

t.test('a mistake in the code is no mistake of the command line', async (t) => {
  const main = join(projectRoot, 'dist', 'runner', 'main.js');
  const broken = `const { main } = await import(${JSON.stringify(main)});
    await main(['schema'], { loadKinds: async () => { throw new Error('a bug'); } });`;
  const { status, stderr } = await run(process.execPath, ['--input-type=module', '-e', broken]);
  t.match(stderr, /^railrunner: E_INTERNAL: .*a bug/);
  t.equal(status, ERROR_CATALOGUE.E_INTERNAL.exit);
});

t.test('what changes a spec reaches it, and only what was given', async (t) => {
  const none = { device: undefined, ranksPerNode: undefined, timeout: undefined };
  const lists = { set: ['seed=1'], only: ['x'] };
  const always = { ...lists, kinds: [], variables: {} };
  t.strictSame(loadOptions({ ...lists, ...none }, [], {}), always);
  t.strictSame(loadOptions({ ...lists, device: 'host', ranksPerNode: 0, timeout: 5 }, [], {}), {
    ...always,
    device: 'host',
    ranksPerNode: 0,
    timeoutSeconds: 5,
  });
});
