/** `railrunner simulate TRACE` */
import type { CommandModule } from 'yargs';
import type { LoadSimulation } from '../job/simulation.js';

interface SimulateArguments {
  readonly trace: string;
  readonly policy: string[];
  readonly capacity: number[];
  readonly tierBlocks: number[];
  readonly tierPolicy: string;
  readonly minUses: number;
  readonly blockBytes: number | undefined;
  readonly ttlSeconds: number | undefined;
  readonly blockTokens: number | undefined;
  readonly skip: number;
  readonly limit: number | undefined;
  readonly warmupRequests: number;
  readonly shortBlock: 'cached' | 'not-cached';
  readonly onBadLine: 'refuse' | 'count';
  readonly allCapacities: boolean;
  readonly format: 'table' | 'csv' | 'json' | 'svg';
}

const MOST = 2 ** 31 - 1;

function checkNumbers(argv: SimulateArguments): true {
  const least: [string, readonly (number | undefined)[], number][] = [
    ['capacity', argv.capacity, 1],
    ['tier-blocks', argv.tierBlocks.slice(0, 1), 1],
    ['tier-blocks', argv.tierBlocks, 0],
    ['min-uses', [argv.minUses], 1],
    ['block-bytes', [argv.blockBytes], 1],
    ['block-tokens', [argv.blockTokens], 1],
    ['skip', [argv.skip], 0],
    ['limit', [argv.limit], 1],
    ['warmup-requests', [argv.warmupRequests], 0],
  ];
  for (const [name, values, from] of least) {
    const odd = values.find(
      (value) => value !== undefined && !(Number.isSafeInteger(value) && value >= from && value <= MOST),
    );
    if (odd === undefined) continue;
    throw new Error(`--${name}: expected a whole number from ${from} to ${MOST}, received ${odd}`);
  }
  if (argv.tierBlocks.length > 3) {
    throw new Error(
      `--tier-blocks: expected blocks of device, host and disk, received ${argv.tierBlocks.length} numbers`,
    );
  }
  const { ttlSeconds } = argv;
  if (ttlSeconds === undefined || (ttlSeconds > 0 && Number.isFinite(ttlSeconds))) return true;
  throw new Error(`--ttl-seconds: expected a number above 0, received ${ttlSeconds}`);
}

const OPTIONS = {
  policy: {
    type: 'array',
    string: true,
    default: [],
    describe: 'Policies in addition to LRU: s3fifo, slru, arc, ttl, or belady, which is the bound of all',
  },
  capacity: {
    type: 'array',
    number: true,
    default: [],
    describe: 'Blocks of the cache; several at once',
  },
  'tier-blocks': {
    type: 'array',
    number: true,
    default: [],
    describe: 'Blocks of device, host and disk that work together: hits, loads and offloads of each',
  },
  'tier-policy': { type: 'string', default: 'lru', describe: 'Policy of each of these tiers' },
  'min-uses': {
    type: 'number',
    default: 1,
    describe: 'Uses after which host and disk take a block',
  },
  'block-bytes': {
    type: 'number',
    describe: 'Bytes of a block, to tell what moves between tiers in GB',
  },
  'ttl-seconds': {
    type: 'number',
    describe: 'Of policy ttl: what nobody used for so long leaves',
  },
  'block-tokens': { type: 'number', describe: 'Tokens of a block; absent: told from the trace' },
  skip: { type: 'number', default: 0, describe: 'Requests to pass over' },
  limit: { type: 'number', describe: 'Requests to take at most' },
  'warmup-requests': {
    type: 'number',
    default: 0,
    describe: 'Requests that fill the cache and are not counted',
  },
  'short-block': {
    choices: ['cached', 'not-cached'] as const,
    default: 'cached' as const,
    describe: 'Whether the last block of a request is cached where it is not full',
  },
  'on-bad-line': {
    choices: ['refuse', 'count'] as const,
    default: 'refuse' as const,
    describe: 'What a wrong line does',
  },
  'all-capacities': {
    type: 'boolean',
    default: false,
    describe: 'LRU at every capacity where its hits change',
  },
  format: {
    choices: ['table', 'csv', 'json', 'svg'] as const,
    default: 'table' as const,
    describe: 'How to print it; svg: a plot of hits over the size of the cache',
  },
} as const;

export const simulateCommand = (load: LoadSimulation): CommandModule<object, SimulateArguments> => ({
  command: 'simulate <trace>',
  describe: 'Print what a prefix cache of any size would hit of a request trace; moves no byte',
  builder: (yargs) =>
    yargs
      .positional('trace', {
        type: 'string',
        demandOption: true,
        describe: 'A request trace, or one as .gz or .zst',
      })
      .options(OPTIONS)
      .check((argv) => checkNumbers(argv as never)) as never,
  handler: async (argv) => {
    const [simulate, { finish }, { EXIT }] = await Promise.all([
      load(),
      import('./command-result.js'),
      import('../errors.js'),
    ]);
    const isPlot = argv.format === 'svg';
    const answer = await simulate({
      trace: argv.trace,
      policies: argv.policy,
      capacities: argv.capacity,
      tierBlocks: argv.tierBlocks,
      tierPolicy: argv.tierPolicy,
      minUses: argv.minUses,
      blockBytes: argv.blockBytes ?? null,
      ttlSeconds: argv.ttlSeconds ?? null,
      blockTokens: argv.blockTokens ?? null,
      skip: argv.skip,
      limit: argv.limit ?? null,
      warmupRequests: argv.warmupRequests,
      shortBlock: argv.shortBlock,
      onBadLine: argv.onBadLine,
      allCapacities: argv.allCapacities || isPlot,
      format: isPlot ? 'json' : argv.format,
    });
    const text = isPlot ? await (await import('./simulate-plot.js')).hitRatePlot(answer) : answer;
    finish({ stdout: text, stderr: '', exitStatus: EXIT.ok });
  },
});
