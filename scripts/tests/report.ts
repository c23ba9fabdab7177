/** Counts cases and says what happened: failures with their detail, skips with what they need, one closing line. */
import type { FileOutcome } from './run-file.js';

/** A reason that holds this names packages, so the skip's prerequisites can be installed. */
const INSTALLABLE = 'apt-get install';

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

interface Skip {
  readonly name: string;
  readonly reason: string;
}

/** Why a skip counts as a failure, or null where it is legal. */
export function skipFault(reason: string, inCi: boolean): string | null {
  if (!reason.startsWith('needs ')) {
    return `skipped without saying what it needs: "${reason}" (write: needs ..., see test/helpers/require.ts)`;
  }
  if (inCi && reason.includes(INSTALLABLE))
    return `skipped in CI although its prerequisites can be installed: ${reason}`;
  return null;
}

function indent(text: string): string {
  return text.replace(/^/gm, '      ');
}

/** Prints one file's line and its failures; returns its tally and legal skips. */
export function reportFile(
  outcome: FileOutcome,
  inCi: boolean,
  print: (line: string) => void,
): [Tally, Skip[]] {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const skips: Skip[] = [];
  const failures: string[] = [];
  for (const entry of outcome.cases) {
    const fault = entry.status === 'skipped' ? skipFault(entry.detail, inCi) : null;
    if (entry.status === 'failed' || fault !== null) {
      tally.failed += 1;
      failures.push(`  not ok: ${entry.name}\n${indent(fault ?? entry.detail)}`);
    } else if (entry.status === 'skipped') {
      tally.skipped += 1;
      skips.push({ name: `${outcome.file.name}: ${entry.name}`, reason: entry.detail });
    } else {
      tally.passed += 1;
    }
  }
  const seconds = (outcome.durationMs / 1000).toFixed(1);
  print(
    `${tally.failed === 0 ? 'ok    ' : 'FAILED'} ${outcome.file.name} (${outcome.cases.length} in ${seconds} s)`,
  );
  for (const failure of failures) print(failure);
  const stderr = outcome.stderr.trim();
  if (tally.failed > 0 && stderr !== '') print(`  its stderr ends:\n${indent(stderr.slice(-4000))}`);
  return [tally, skips];
}

export function closingLine(tally: Tally): string {
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  return `${tally.passed} passed, ${tally.failed} failed${skipped}`;
}
