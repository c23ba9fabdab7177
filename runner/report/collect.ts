/** Run folders -> report. A folder that cannot be read is a complaint, and the others are reported all the same. */
import { readHistory } from '../compare/history.js';
import { RunnerError } from '../errors.js';
import { counted } from '../text/plural.js';
import { numberList } from '../text/ranges.js';
import { openRunFolder, type RunFolder } from '../run-folder/run-rows.js';
import { groupBy } from './group-by.js';
import { joinShards, type JoinedRun } from '../run-folder/shards.js';
import type { RankTime, ReportRow, ReportedRun, Suite } from './model.js';
import { missingRows, readPart, readRanks } from './read-rows.js';
import { firstOf, lastOf } from '../values/items.js';

export interface Folders {
  /** At least one. */
  readonly runs: readonly string[];
  readonly earlier: readonly string[];
  /** The baseline. */
  readonly against: readonly string[];
  /** Folder that `compare --history` keeps. */
  readonly history: string | undefined;
}

export interface Collected {
  readonly suites: readonly Suite[];
  /** Folders that could be opened. */
  readonly readable: Readonly<Record<'runs' | 'against', readonly string[]>>;
  /** Earlier runs that are of no suite of the reported ones. */
  readonly strangers: readonly string[];
  /** One for each folder that is not a readable run. */
  readonly unreadable: readonly RunnerError[];
}

/** Rejects with E_USAGE where a run was named twice, and with the folder's error where none can be read. */
export async function collect(folders: Folders): Promise<Collected> {
  const opened: RunFolder[] = [];
  const unreadable: RunnerError[] = [];
  const openInto = async (paths: readonly string[]): Promise<RunFolder[]> => {
    const runs: RunFolder[] = [];
    for (const path of paths) {
      try {
        runs.push(await openRunFolder(path));
      } catch (error) {
        if (!(error instanceof RunnerError)) throw error;
        unreadable.push(error);
      }
    }
    opened.push(...runs);
    return runs;
  };
  const named = await openInto(folders.runs);
  const older = await openInto(folders.earlier);
  const against = await openInto(folders.against);
  if (named.length === 0) throw firstOf(unreadable);
  joinShards(opened); // refuses a run that is on two sides
  const earlier = groupBySuite(joinShards(older));
  const suitesOfRuns = groupBySuite(joinShards(named));
  const suites = await readSuites(suitesOfRuns, earlier, folders.history);
  const strangers = [...earlier].filter(([suite]) => !suitesOfRuns.has(suite)).flatMap(([, group]) => group);
  const readable = { runs: named.map(({ path }) => path), against: against.map(({ path }) => path) };
  return { suites, readable, unreadable, strangers: strangers.map(idOf) };
}

/** The rank files of each suite's newest run are read too. */
async function readSuites(
  groups: ReadonlyMap<string, readonly JoinedRun[]>,
  earlier: ReadonlyMap<string, readonly JoinedRun[]>,
  history: string | undefined,
): Promise<Suite[]> {
  const suites: Suite[] = [];
  for (const [suite, group] of groups) {
    const runs = await readAll(group, (run) => readJoined(run, run === group.at(-1)));
    const { specName, machine } = lastOf(runs);
    const before = await readAll(earlier.get(suite) ?? [], (run) => readJoined(run, false));
    const recorded = history === undefined ? [] : readHistory(history, machine);
    suites.push({ specName, machine, runs, earlier: before, recorded });
  }
  return suites;
}

async function readAll(
  runs: readonly JoinedRun[],
  read: (run: JoinedRun) => Promise<ReportedRun>,
): Promise<ReportedRun[]> {
  const all: ReportedRun[] = [];
  for (const run of runs) all.push(await read(run));
  return all;
}

/** Suite -> its runs, oldest first. */
function groupBySuite(runs: readonly JoinedRun[]): Map<string, JoinedRun[]> {
  const sorted = runs.toSorted((a, b) => +a.startedAt - +b.startedAt);
  return groupBy(sorted, (run) => {
    const { specName, machine } = firstOf(run.parts).manifest;
    return JSON.stringify([specName, machine.device, machine.deviceName, machine.layout]);
  });
}

async function readJoined(run: JoinedRun, withRanks: boolean): Promise<ReportedRun> {
  const first = firstOf(run.parts);
  const { manifest } = first;
  const rows: ReportRow[] = [];
  const rankTimes: RankTime[] = [];
  const complaints: string[] = [];
  for (const part of run.parts) {
    complaints.push(...(await readPart(part, rows)));
    if (withRanks) complaints.push(...(await readRanks(part, rankTimes)));
  }
  const ids = run.parts.map((part) => part.manifest.runId);
  if (run.missingShards.length > 0) {
    complaints.push(
      `${ids[0]}: shard ${run.missingShards.join(', ')} of ${manifest.shard?.count} is missing: name its folder too`,
    );
  }
  const missing = missingRows(first, rows);
  if (missing.length > 0) {
    complaints.push(
      `${ids.join(', ')}: ${counted(missing.length, 'point')} of ${(manifest.selectedPoints ?? manifest.points).length} without a row`,
    );
  }
  return {
    runId: ids.join(', '),
    folders: run.parts.map((part) => part.path),
    outcome: worstOutcome(run.parts.map((part) => part.manifest.outcome)),
    startedAt: run.startedAt,
    specName: manifest.specName,
    specDigest: manifest.specDigest,
    worldSize: manifest.worldSize,
    machine: manifest.machine,
    railrunnerVersion: String(manifest.versions['railrunner'] ?? ''),
    commit: String(manifest.versions['commit'] ?? ''),
    numPoints: manifest.points.length,
    rows: [...rows, ...missing].toSorted((a, b) => a.point - b.point),
    rankTimes,
    complaints,
    notes: selectionNotes(first),
  };
}

function selectionNotes({ manifest: { runId, selectedPoints, points } }: RunFolder): string[] {
  if (selectedPoints === undefined) return [];
  const asked = counted(new Set(selectedPoints).size, 'point');
  return [
    `${runId}: was to measure only ${asked} of ${points.length} (--points ${numberList(selectedPoints)})`,
  ];
}

function worstOutcome(outcomes: readonly string[]): string {
  return outcomes.find((outcome) => outcome !== 'ok') ?? 'ok';
}

const idOf = (run: JoinedRun): string => run.parts.map((part) => part.manifest.runId).join(', ');
