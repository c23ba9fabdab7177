/** `railrunner simulate TRACE` */
import type { CommandModule } from 'yargs';
import { wholeNumber, withOptions, type CliOptions } from './options.js';
import type { LoadSimulation } from '../job/simulation.js';

interface SimulateArguments {
  readonly trace: string;
  readonly policy: readonly string[];
  readonly capacity: readonly number[];
  readonly tierBlocks: readonly number[];
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

const COUNT = wholeNumber(1, 2 ** 31 - 1);
const COUNT_OR_NONE = wholeNumber(0, 2 ** 31 - 1);

const SIMULATE_OPTIONS: CliOptions<SimulateArguments> = {
  trace: {
    positional: true,
    type: 'string',
    required: true,
    describe: 'A request trace, plain or compressed (.gz, .zst)',
  },
  policy: {
    array: true,
    describe: 'Policies in addition to LRU: s3fifo, slru, arc, ttl, or belady (the upper bound)',
  },
  capacity: {
    array: true,
    type: 'number',
    describe: 'Cache sizes in blocks',
    expected: COUNT,
  },
  tierBlocks: {
    array: true,
    type: 'number',
    describe:
      'Blocks of device, host and disk tiers that work together: prints hits, loads and offloads of each',
    expected: COUNT_OR_NONE,
  },
  tierPolicy: { type: 'string', default: 'lru', describe: 'Policy of these tiers' },
  minUses: {
    type: 'number',
    default: 1,
    describe: 'Host and disk admit a block after this many uses',
    expected: COUNT,
  },
  blockBytes: {
    type: 'number',
    describe: 'Bytes per block, to print the traffic between tiers in GB',
    expected: COUNT,
  },
  ttlSeconds: {
    type: 'number',
    describe: 'Policy ttl: evict blocks that were not used for this long',
    expected: ['a number above 0', (value) => value > 0],
  },
  blockTokens: {
    type: 'number',
    describe: 'Tokens per block [default: derived from the trace]',
    expected: COUNT,
  },
  skip: { type: 'number', default: 0, describe: 'Skip this many requests', expected: COUNT_OR_NONE },
  limit: { type: 'number', describe: 'Read at most this many requests', expected: COUNT },
  warmupRequests: {
    type: 'number',
    default: 0,
    describe: 'Requests that fill the cache before counting starts',
    expected: COUNT_OR_NONE,
  },
  shortBlock: {
    choices: ['cached', 'not-cached'],
    default: 'cached',
    describe: "Whether a request's last block is cached if it is not full",
  },
  onBadLine: {
    choices: ['refuse', 'count'],
    default: 'refuse',
    describe: 'What to do with invalid lines: stop, or count and skip them',
  },
  allCapacities: {
    type: 'boolean',
    default: false,
    describe: 'LRU at every capacity at which its hits change',
  },
  format: {
    choices: ['table', 'csv', 'json', 'svg'],
    default: 'table',
    describe: 'Output format; svg plots hits over cache size',
  },
};

/** Rules that span several numbers. */
function checkTiers({ tierBlocks }: SimulateArguments): true {
  if (tierBlocks[0] === 0) {
    throw new Error('--tier-blocks: expected at least 1 block for the device, received 0');
  }
  if (tierBlocks.length > 3) {
    throw new Error(
      `--tier-blocks: expected blocks of device, host and disk, received ${tierBlocks.length} numbers`,
    );
  }
  return true;
}

export const simulateCommand = (load: LoadSimulation): CommandModule<object, SimulateArguments> => ({
  command: 'simulate <trace>',
  describe: 'Print the hit rate of a prefix cache of any size on a request trace; moves no data',
  builder: (yargs) => withOptions(yargs, SIMULATE_OPTIONS).check(checkTiers),
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
