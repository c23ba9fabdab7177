/** What cannot be on any machine. Pointers are relative to the job. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import { planFlows, unitSize } from './flows.js';
import { MOST_BLOCKS } from './schema.js';
import { pagesPerFlowBlock, sideOf, sideSizes } from './sides.js';
import type { TransferSpec } from './spec.generated.js';

/** `worldSize` null: not known yet. */
export function transferIssues(spec: TransferSpec, worldSize: number | null): SpecIssue[] {
  const issues = [...layerIssues(spec), ...alignmentIssues(spec), ...networkIssues(spec)];
  if (worldSize !== null && issues.length === 0) issues.push(...worldIssues(spec, worldSize));
  return issues;
}

function layerIssues({ layerRange, numLayers }: TransferSpec): SpecIssue[] {
  const [start = 0, end = 0] = layerRange;
  if (start < end && end <= numLayers) return [];
  const expected = `[start, end) with start < end <= ${numLayers} layers`;
  return [{ pointer: '/layerRange', expected, received: showValue(layerRange) }];
}

function alignmentIssues(spec: TransferSpec): SpecIssue[] {
  return (['layout', 'targetLayout'] as const).flatMap((key) => {
    const { alignment } = spec[key];
    if (Number.isInteger(Math.log2(alignment))) return [];
    // What the target has from the source's layout is said once.
    if (key === 'targetLayout' && alignment === spec.layout.alignment) return [];
    return [{ pointer: `/${key}/alignment`, expected: 'a power of two', received: showValue(alignment) }];
  });
}

/** A demand on what carries nothing would be met whatever there is. */
function networkIssues({ transport, networkTransport }: TransferSpec): SpecIssue[] {
  if (transport !== 'ipc' || networkTransport === undefined) return [];
  return [
    {
      pointer: '/networkTransport',
      expected: 'nothing with transport ipc, which never takes the network',
      received: showValue(networkTransport),
      hint: 'use transport hybrid or network',
    },
  ];
}

function worldIssues(spec: TransferSpec, worldSize: number): SpecIssue[] {
  const size = unitSize(spec);
  const units = worldSize / size;
  if (!Number.isInteger(units)) {
    const key = spec.sourceTensorParallel >= spec.targetTensorParallel ? 'source' : 'target';
    const expected = `a divisor of the ${worldSize} ranks`;
    const hint = `start ${size} ranks or a multiple: launch -n ${Math.ceil(units) * size}`;
    return [{ pointer: `/${key}TensorParallel`, expected, received: showValue(size), hint }];
  }
  const lines = spec.matrix?.blocks.length;
  if (lines !== undefined && lines !== units) {
    const expected = `a matrix of ${units} lines, one for each unit of ${size} of the ${worldSize} ranks`;
    return [{ pointer: '/matrix', expected, received: `${lines} (${spec.matrix?.path})` }];
  }
  if (spec.pattern === 'pair' && units % 2 !== 0 && units > 1) {
    const expected = `another pattern, or an even number of units of ${size} ranks`;
    return [{ pointer: '/pattern', expected, received: `"pair" with ${units} units`, hint: 'use ring' }];
  }
  const { flows, sourceBlocks, targetBlocks } = planFlows(spec, worldSize);
  if (flows.length === 0) {
    return [{ pointer: '/matrix', expected: 'a cell that is not 0', received: 'a matrix of zeros' }];
  }
  return capacityIssues(spec, Math.max(...sourceBlocks), Math.max(...targetBlocks));
}

function capacityIssues(spec: TransferSpec, sourceBlocks: number, targetBlocks: number): SpecIssue[] {
  const pointer = spec.pattern === 'matrix' ? '/matrix' : '/blocks';
  const pages = Math.max(sourceBlocks, targetBlocks) * pagesPerFlowBlock(spec);
  if (pages > MOST_BLOCKS) {
    return [{ pointer, expected: `pools of at most ${MOST_BLOCKS} pages`, received: `${pages} pages` }];
  }
  const bytes = Math.max(
    sideSizes(spec, sideOf(spec, 'source'), sourceBlocks).allocationBytes,
    sideSizes(spec, sideOf(spec, 'target'), targetBlocks).allocationBytes,
  );
  if (bytes <= Number.MAX_SAFE_INTEGER) return [];
  const expected = 'pools of at most 2^53 - 1 bytes, what numbers hold exactly';
  return [{ pointer, expected, received: `about ${bytes.toExponential(3)} bytes` }];
}
