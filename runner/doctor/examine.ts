/** All checks on this machine. */
import { hostname } from 'node:os';
import { EXIT } from '../errors.js';
import { CHECKS } from './checks.js';
import type { Finding } from './finding.js';
import { sortFindings, type DoctorReport } from './report.js';
import type { DoctorContext } from './context.js';

/** Environment where a given spec cannot run; without a spec there is nothing to refuse. */
export async function examine(context: DoctorContext): Promise<DoctorReport> {
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(...(await check.examine(context)));
  const blocked = findings.some(({ severity }) => severity === 'blocks');
  return {
    host: hostname(),
    worldSize: context.worldSize,
    ranksHere: context.ranksHere,
    spec: context.job?.path ?? null,
    exitStatus: context.job && blocked ? EXIT.environment : EXIT.ok,
    findings: sortFindings(findings),
  };
}
