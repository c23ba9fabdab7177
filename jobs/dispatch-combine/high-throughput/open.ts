/** High throughput: rows are counted before they move. */
import type { NativeMoe } from '../../../runner/native/types/index.js';
import { itemAt } from '../../../runner/values/items.js';
import { sum } from '../../../runner/values/sum.js';
import type { OpenAlgorithm, Operation } from '../algorithm.js';
import { paddedHidden } from '../moe-spec.js';
import { openNative, type PointParts } from '../open-native.js';
import { peerPaths } from '../paths.js';
import { capacities, mostInboxes, symmetricBytesHigh, tokenRowBytes } from './capacity.js';
import { chooseStrategy } from './choose-strategy.js';
import { symmetricBytesHighCuda } from './cuda.js';
import type { Standing, Strategy } from './standing.js';
import { forwardedTokens, issuedBytesHigh, payloadHigh, unitsToHigh } from './traffic.js';

const median = (values: Float64Array): number => values.toSorted()[Math.floor(values.length / 2)] ?? NaN;

export async function openHighThroughput(parts: PointParts): Promise<OpenAlgorithm> {
  const { spec, context, counts, paths, nodes } = parts;
  const { rank, nodeOfRank } = context.world.info;
  const isCuda = context.device.properties.kind === 'cuda';
  const standing: Standing = { rank, isCuda, paths, nodes, numTokens: counts.numTokens };
  const open = async (strategy: Strategy): Promise<NativeMoe> =>
    await openNative(parts, {
      strategy,
      expertAlignment: spec.expertAlignment,
      reuseLayout: spec.reuseLayout,
      weighted: spec.weighted,
      smCount: spec.smCount === 'auto' ? 0 : spec.smCount,
      receiveRows: spec.receiveRows,
    });
  const strategy = await chooseStrategy({ spec, context, counts, standing, open });
  const begin = performance.now();
  const native = await open(strategy);
  const setupUs = (performance.now() - begin) * 1000;
  const { warmup, iterations } = context.samples;
  const isAgain = spec.reuseLayout && warmup + iterations > 1;
  const local = spec.numExperts / paths.length;
  const memory = capacities(spec, paths.length, counts);
  const unitsTo = (operation: Operation): number[] => unitsToHigh(counts, standing, operation);
  const inboxes = mostInboxes(
    nodes,
    nodeOfRank.map((_, from) => peerPaths(spec, from, nodeOfRank)),
  );
  return {
    native,
    setupUs,
    moved: {
      selections: counts.selections[rank] ?? 0,
      messagesSent: sum(unitsTo('dispatch')),
      messagesForwarded: forwardedTokens(standing, counts),
      expertRows: counts.rowsOfExpert.slice(rank * local, (rank + 1) * local),
      symmetricBytes: isCuda
        ? symmetricBytesHighCuda(spec, memory, strategy, paths.includes('network'))
        : symmetricBytesHigh(spec, memory, inboxes),
    },
    strategyRequested: spec.strategy,
    strategyUsed: (facts) => `${facts.strategy}${nodes === null ? '' : ', forwarded inside nodes'}`,
    issued: (operation) => issuedBytesHigh(spec, counts, standing, { operation, strategy, isAgain }),
    unitsTo,
    // The tokens, or the partial sums.
    sourceBytes: (operation) =>
      operation === 'dispatch'
        ? (counts.numTokens[rank] ?? 0) * tokenRowBytes(spec)
        : sum(counts.tokensTo.map((to) => to[rank] ?? 0)) * 2 * paddedHidden(spec),
    bytes: (operation) => payloadHigh(spec, counts, rank, operation),
    columns: (operation, { timesUs }, facts) => ({
      receive_rows: itemAt(memory, rank).rows,
      ...(timesUs.length > 0
        ? { wire_GBps: payloadHigh(spec, counts, rank, operation).wire / median(timesUs) / 1000 }
        : {}),
      ...(facts.processors > 0 ? { sms: facts.processors } : {}),
      first_call_us: operation === 'dispatch' ? facts.dispatchFirstUs : facts.combineFirstUs,
    }),
  };
}
