/** What cannot be on any machine. Pointers are relative to the job. */
import { showValue, type SpecIssue } from '../../runner/job-spec/issue.js';
import type { MoeSpec } from './moe-spec.js';
import { highThroughputIssues, highThroughputWorldIssues } from './high-throughput/rules.js';
import { MAX_RESULT_ROWS } from './schema.js';

/** `worldSize` null: not known yet. */
export function moeIssues(spec: MoeSpec, worldSize: number | null): SpecIssue[] {
  const issues = [
    ...expertIssues(spec),
    ...tokenIssues(spec),
    ...combinationIssues(spec),
    ...routingIssues(spec),
    ...highThroughputIssues(spec),
  ];
  if (worldSize !== null)
    issues.push(...worldIssues(spec, worldSize), ...highThroughputWorldIssues(spec, worldSize));
  return issues;
}

function expertIssues(spec: MoeSpec): SpecIssue[] {
  if (spec.numTopk <= spec.numExperts) return [];
  const expected = `at most ${spec.numExperts}, the number of experts`;
  return [{ pointer: '/numTopk', expected, received: showValue(spec.numTopk) }];
}

function tokenIssues(spec: MoeSpec): SpecIssue[] {
  const most = spec.maxDispatchTokensPerRank;
  const given = typeof spec.numTokens === 'number' ? [spec.numTokens] : spec.numTokens;
  const at = (index: number): string =>
    typeof spec.numTokens === 'number' ? '/numTokens' : `/numTokens/${index}`;
  return given.flatMap((tokens, index) =>
    tokens <= most
      ? []
      : [
          {
            pointer: at(index),
            expected: `at most ${most}`,
            received: showValue(tokens),
            hint: 'raise maxDispatchTokensPerRank',
          },
        ],
  );
}

function combinationIssues(spec: MoeSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (spec.dedup === 'off' && spec.outputLayout === 'rankMajor') {
    const hint = 'rankMajor outputs are one row per token and rank';
    issues.push({
      pointer: '/dedup',
      expected: 'on or auto with outputLayout rankMajor',
      received: '"off"',
      hint,
    });
  }
  if (spec.dedup === 'node' && spec.transport !== 'hybrid') {
    const hint = 'a token crosses the network once per node and is forwarded there by ipc: it needs both';
    issues.push({
      pointer: '/transport',
      expected: 'hybrid with dedup node',
      received: showValue(spec.transport),
      hint,
    });
  }
  if (spec.zeroCopy && spec.dedup === 'node' && spec.outputLayout === 'expertMajor') {
    const hint = "relays sum the experts' rows that they were sent: there is no copy to save";
    issues.push({
      pointer: '/zeroCopy',
      expected: 'false with dedup node and outputLayout expertMajor',
      received: 'true',
      hint,
    });
  }
  if (spec.roundScale && spec.dispatchDtype !== 'fp8_e4m3') {
    issues.push({
      pointer: '/roundScale',
      expected: 'false without dispatchDtype fp8_e4m3',
      received: 'true',
    });
  }
  return issues;
}

function routingIssues(spec: MoeSpec): SpecIssue[] {
  const { routing, numExperts, numTopk } = spec;
  if (routing.kind === 'kHot' && routing.hotExperts > numExperts) {
    const expected = `at most ${numExperts}, the number of experts`;
    return [{ pointer: '/routing/hotExperts', expected, received: showValue(routing.hotExperts) }];
  }
  if (routing.kind !== 'groupLimited') return [];
  const issues: SpecIssue[] = [];
  if (numExperts % routing.numGroups !== 0) {
    const expected = `a divisor of the ${numExperts} experts`;
    issues.push({ pointer: '/routing/numGroups', expected, received: showValue(routing.numGroups) });
  }
  const inGroups = Math.floor((numExperts / routing.numGroups) * routing.topkGroups);
  if (routing.topkGroups > routing.numGroups || inGroups < numTopk) {
    const expected = `1 to ${routing.numGroups} groups that hold at least numTopk = ${numTopk} experts together`;
    issues.push({ pointer: '/routing/topkGroups', expected, received: showValue(routing.topkGroups) });
  }
  return issues;
}

function worldIssues(spec: MoeSpec, worldSize: number): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (spec.numExperts % worldSize !== 0) {
    const below = Math.floor(spec.numExperts / worldSize) * worldSize;
    const above = below + worldSize;
    const hint = below > 0 ? `the nearest are ${below} and ${above}` : `the nearest is ${above}`;
    const expected = `a multiple of the ${worldSize} ranks`;
    issues.push({ pointer: '/numExperts', expected, received: showValue(spec.numExperts), hint });
  }
  if (typeof spec.numTokens !== 'number' && spec.numTokens.length !== worldSize) {
    const expected = `a number, or a list of ${worldSize}, one per rank`;
    issues.push({ pointer: '/numTokens', expected, received: `a list of ${spec.numTokens.length}` });
  }
  const groups = spec.outputLayout === 'expertMajor' ? spec.numExperts : worldSize;
  if (groups * spec.maxDispatchTokensPerRank > MAX_RESULT_ROWS) {
    const expected = `at most ${Math.floor(MAX_RESULT_ROWS / groups)}: results have at most ${MAX_RESULT_ROWS} rows`;
    const received = showValue(spec.maxDispatchTokensPerRank);
    issues.push({ pointer: '/maxDispatchTokensPerRank', expected, received });
  }
  return issues;
}
