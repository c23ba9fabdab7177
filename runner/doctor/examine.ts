/** All checks on this machine. */
import { hostname } from 'node:os';
import { EXIT } from '../errors.js';
import { CHECKS } from './checks.js';
import type { Finding } from './finding.js';
import { sortFindings, type DoctorReport } from './report.js';
import type { DoctorSetting } from './setting.js';

/** Environment where a given spec cannot run; without a spec there is nothing to refuse. */
export async function examine(setting: DoctorSetting): Promise<DoctorReport> {
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(...(await check.examine(setting)));
  const blocked = findings.some(({ severity }) => severity === 'blocks');
  return {
    host: hostname(),
    worldSize: setting.worldSize,
    ranksHere: setting.ranksHere,
    spec: setting.job?.path ?? null,
    exitStatus: setting.job && blocked ? EXIT.environment : EXIT.ok,
    findings: sortFindings(findings),
  };
}
