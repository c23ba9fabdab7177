/** Findings as a table for people and as JSON for programs. */
import Table from 'cli-table3';
import { SEVERITIES, type Finding } from './finding.js';

export interface DoctorReport {
  readonly host: string;
  readonly worldSize: number;
  readonly ranksHere: number;
  /** Path of the spec; null without one. */
  readonly spec: string | null;
  readonly exitStatus: number;
  /** The gravest first. */
  readonly findings: readonly Finding[];
}

const TEXT_WIDTH = 84;

export function sortFindings(findings: readonly Finding[]): Finding[] {
  const place = ({ severity }: Finding): number => SEVERITIES.indexOf(severity);
  return findings.toSorted((a, b) => place(a) - place(b));
}

export function jsonText(report: DoctorReport): string {
  return JSON.stringify(report, null, 2);
}

export function tableText(report: DoctorReport): string {
  const { host, worldSize, ranksHere, findings } = report;
  const table = new Table({
    head: ['', 'check', 'finding'],
    colWidths: [null, null, TEXT_WIDTH + 2],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { severity, check, what, consequence, remedy } of findings) {
    const lines = [what, ...(consequence === '' ? [] : [`Means: ${consequence}`, `Do: ${remedy}`])];
    table.push([severity, check, lines.join('\n')]);
  }
  const ranks = ranksHere === worldSize ? `${worldSize}` : `${ranksHere} of ${worldSize}`;
  const title = `doctor on ${host}, for ${ranks} rank${worldSize === 1 ? '' : 's'}${report.spec ? ` of ${report.spec}` : ''}`;
  return [title, table.toString(), summaryOf(report)].join('\n');
}

function summaryOf({ findings, spec, exitStatus }: DoctorReport): string {
  const count = (severity: string): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const counts = SEVERITIES.map((severity) => `${count(severity)} ${severity}`).join(', ');
  if (spec === null) return counts;
  return `${counts}: ${spec} ${exitStatus === 0 ? 'can run here' : 'cannot run here'}`;
}
