/** Figures of earlier runs, one line for each run and key, a file for each machine class; and where they changed. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunnerError } from '../errors.js';
import { canonicalJson, sha256Hex } from '../job-spec/canonical.js';
import type { JsonValue } from '../job-spec/types.js';
import { outputError } from '../system-failure.js';
import { makeFolder } from '../results/run-folder.js';
import { damaged } from '../run-folder/csv-rows.js';
import type { MachineClass } from '../run-folder/machine-class.js';
import { readSeries } from '../run-folder/point-identity.js';
import { levelChanges, type Step } from './level-changes.js';
import { keyText, type Cell, type RunTable } from './run-table.js';
import { isJsonObject, parseJson } from '../values/json.js';

interface Line {
  readonly run: string;
  readonly startedAt: string;
  readonly key: string;
  readonly series: string;
  /** Natural logarithm of the median time in us. */
  readonly log: number;
}

/** So many runs stand for the baseline where none is named. */
const BASELINE_RUNS = 12;

function historyFile(folder: string, machine: MachineClass): string {
  return join(folder, `${sha256Hex(canonicalJson(machine)).slice(0, 12)}.jsonl`);
}

/** Runs of that class, oldest first. Rejects with E_RUN_READ; half a line at the end is left out. */
export function readHistory(folder: string, machine: MachineClass): RunTable[] {
  const path = historyFile(folder, machine);
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const runs = new Map<string, { startedAt: Date; cells: Map<string, Cell> }>();
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  lines.slice(0, -1).forEach((line, at) => {
    const { run, startedAt, key, series, log } = parseLine(path, at + 1, line);
    const table = runs.get(run) ?? { startedAt: new Date(startedAt), cells: new Map<string, Cell>() };
    runs.set(run, table);
    table.cells.set(key, { status: 'ok', log, series, point: -1, job: {} });
  });
  return [...runs]
    .map(([name, { startedAt, cells }]): RunTable => ({ name, startedAt, machine, cells, problems: [] }))
    .sort((a, b) => +a.startedAt - +b.startedAt);
}

function parseLine(path: string, number: number, text: string): Line {
  let value: JsonValue = null;
  try {
    value = parseJson(text);
  } catch {
    // Said below, as for a line that is JSON of another form.
  }
  const { run, startedAt, key, log, series: given } = isJsonObject(value) ? value : {};
  const series = readSeries(String(given));
  if (
    typeof run === 'string' &&
    typeof startedAt === 'string' &&
    !Number.isNaN(Date.parse(startedAt)) &&
    typeof key === 'string' &&
    key.split('\u0000').length === 7 &&
    typeof log === 'number' &&
    isTime(Math.exp(log)) &&
    series !== undefined
  ) {
    return { run, startedAt, key, log, series };
  }
  throw damaged(path, `line ${number}: expected run, startedAt, key, series and log of a time`);
}

const isTime = (us: number): boolean => us > 0 && Number.isFinite(us);

/** Adds the runs that the file does not have yet. Rejects with E_OUTPUT. */
export async function appendHistory(folder: string, runs: readonly RunTable[]): Promise<void> {
  for (const run of runs) {
    if (run.problems.length > 0 || readHistory(folder, run.machine).some(({ name }) => name === run.name))
      continue;
    const lines = [...run.cells].flatMap(([key, { log, series }]) =>
      log === undefined
        ? []
        : [
            `${JSON.stringify({ run: run.name, startedAt: run.startedAt.toISOString(), key, series, log })}\n`,
          ],
    );
    const path = historyFile(folder, run.machine);
    try {
      await makeFolder(folder);
      const cut = existsSync(path) && !readFileSync(path, 'utf8').endsWith('\n');
      if (cut) throw new RunnerError('E_OUTPUT', `${path} ends in the middle of a line: remove that line`);
      appendFileSync(path, lines.join(''));
    } catch (error) {
      if (error instanceof RunnerError) throw error;
      throw outputError(`${path} cannot be written`, error);
    }
  }
}

export function baselineOf(history: readonly RunTable[], candidate: readonly RunTable[]): RunTable[] {
  const names = new Set(candidate.map(({ name }) => name));
  return history.filter(({ name }) => !names.has(name)).slice(-BASELINE_RUNS);
}

/** Sentences, one for each change of a key's level, over the runs that did what the newest one does; the same for the same history. */
export function changesOf(history: readonly RunTable[]): string[] {
  const keys = [...new Set(history.flatMap((run) => [...run.cells.keys()]))];
  return keys.flatMap((key) => {
    const measured = history.flatMap(({ name, startedAt, cells }): (Step & { readonly series: string })[] => {
      const cell = cells.get(key);
      return cell?.log === undefined ? [] : [{ run: name, startedAt, log: cell.log, series: cell.series }];
    });
    // Of runs that did another thing under the same key the times say nothing.
    const series = measured.at(-1)?.series;
    const steps = measured.filter((step) => step.series === series);
    return levelChanges(steps, key, keys.length).map(({ step, changePct, p }) => {
      const size = `${changePct > 0 ? '+' : ''}${changePct.toFixed(1)} %`;
      const day = step.startedAt.toISOString().slice(0, 10);
      return `${keyText(key)}: ${size} from run ${step.run} on (${day}, p ${p.toPrecision(2)})`;
    });
  });
}
