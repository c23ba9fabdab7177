/** `railrunner model CONFIG|PRESET` */
import type { CommandModule } from 'yargs';
import type { LoadModelReport, ModelQuestion } from '../job/model-report.js';

interface ModelArguments {
  readonly model: string;
  readonly tensorParallel: number;
  readonly pageSize: number | undefined;
  readonly context: number | undefined;
  readonly json: boolean;
}

const MOST = 2 ** 31 - 1;

function checkCounts(argv: ModelArguments): true {
  const { tensorParallel, pageSize, context } = argv;
  const counts = { 'tensor-parallel': tensorParallel, 'page-size': pageSize, context };
  for (const [name, value] of Object.entries(counts)) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= MOST)) continue;
    throw new Error(`--${name}: expected a whole number from 1 to ${MOST}, received ${value}`);
  }
  return true;
}

export const modelCommand = (loadReport: LoadModelReport): CommandModule<object, ModelArguments> => ({
  command: 'model <model>',
  describe:
    'Print what an engine keeps of a model for a token and a context, from its config.json or a preset',
  builder: (yargs) =>
    yargs
      .positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'A preset, or the path of a config.json or of its folder',
      })
      .option('tensor-parallel', {
        type: 'number',
        default: 1,
        describe: 'Print the shard of one of so many ranks',
      })
      .option('page-size', { type: 'number', describe: 'Tokens in a block' })
      .option('context', { type: 'number', describe: 'Tokens of a request' })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON instead of a table' })
      .check((argv) => checkCounts(argv as never)) as never,
  handler: async (argv) => {
    const [report, { finish }, { EXIT, RunnerError }] = await Promise.all([
      loadReport(),
      import('./command-result.js'),
      import('../errors.js'),
    ]);
    const question: ModelQuestion = {
      model: argv.model,
      tensorParallel: argv.tensorParallel,
      pageSize: argv.pageSize ?? null,
      contextTokens: argv.context ?? null,
      json: argv.json,
    };
    const answer = report(question);
    if ('refusal' in answer) throw new RunnerError('E_MODEL', answer.refusal);
    finish({ stdout: answer.text, stderr: '', exitStatus: EXIT.ok });
  },
});
