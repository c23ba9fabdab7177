/** `railrunner model CONFIG|PRESET` */
import type { CommandModule } from 'yargs';
import { wholeNumber, withOptions, type CliOptions } from './options.js';
import type { LoadModelReport, ModelQuestion } from '../job/model-report.js';

interface ModelArguments {
  readonly model: string;
  readonly tensorParallel: number;
  readonly pageSize: number | undefined;
  readonly context: number | undefined;
  readonly json: boolean;
}

const COUNT = wholeNumber(1, 2 ** 31 - 1);

const MODEL_OPTIONS: CliOptions<ModelArguments> = {
  model: {
    positional: true,
    type: 'string',
    required: true,
    describe: 'A preset, or the path of a config.json or of its folder',
  },
  tensorParallel: {
    type: 'number',
    default: 1,
    describe: "Print one rank's shard of a model split over this many ranks",
    expected: COUNT,
  },
  pageSize: { type: 'number', describe: 'Tokens per block', expected: COUNT },
  context: { type: 'number', describe: 'Tokens per request', expected: COUNT },
  json: { type: 'boolean', default: false, describe: 'Print JSON instead of a table' },
};

export const modelCommand = (loadReport: LoadModelReport): CommandModule<object, ModelArguments> => ({
  command: 'model <model>',
  describe: 'Print the cache that a model needs per token and per context, from its config.json or a preset',
  builder: (yargs) => withOptions(yargs, MODEL_OPTIONS),
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
