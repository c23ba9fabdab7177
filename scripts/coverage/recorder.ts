/** Collects V8's coverage of every process that a test file starts (NODE_V8_COVERAGE reaches ranks too), file by file. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  CoverageReport,
  type CoverageReportOptions,
  type CoverageResults,
  type V8CoverageEntry,
} from 'monocart-coverage-reports';
import { comparable, MODULE, sha256, type CarriedCoverage, type RawCoverage } from './carried.js';

const MEASURED = /^(runner|jobs)\//;

export class CoverageRecorder {
  readonly #folder: string;
  readonly #root: string;

  /** `folder` keeps what was recorded, also for a later call that adds to it. */
  constructor(root: string, folder: string) {
    this.#root = root;
    this.#folder = folder;
  }

  /** Environment of a test file: where its processes write as they exit. */
  environment(testName: string): Record<string, string> {
    return { NODE_V8_COVERAGE: this.#rawFolder(testName) };
  }

  /** After the test file: a process writes megabytes, of which this project's own scripts are kept. */
  async take(testName: string): Promise<void> {
    const raw = this.#rawFolder(testName);
    if (existsSync(raw)) {
      for (const name of readdirSync(raw)) prepareRaw(join(raw, name), this.#dist);
      await this.#report('report', []).addFromDir(raw);
    }
    rmSync(raw, { recursive: true, force: true });
  }

  /** Of all that this and earlier calls recorded; the report of each line is written to `report/`. */
  async results(): Promise<CoverageResults> {
    const kept = { merge: true, outputDir: join(this.#recorded, String(Date.now())) };
    return generate(this.#report('report', [['raw', kept]]));
  }

  /**
   * The same with what another machine recorded, which is not kept; its report is written to `report-with-carried/`.
   * `changed`: the modules that differ from those which ran there; they count as not run there.
   */
  async resultsWith(carried: CarriedCoverage): Promise<{ results: CoverageResults; changed: string[] }> {
    const report = this.#report('report-with-carried', []);
    const changed: string[] = [];
    for (const [path, { sha256: digest, runs }] of Object.entries(carried.modules)) {
      const file = join(this.#dist, path);
      const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
      if (sha256(source) !== digest) {
        changed.push(path);
        continue;
      }
      for (const functions of runs) {
        const entry = { url: pathToFileURL(file).href, source, functions: [...functions] };
        await attachSourceMap(entry);
        await report.add([entry]);
      }
    }
    return { results: await generate(report), changed };
  }

  get #dist(): string {
    return join(this.#root, 'dist');
  }

  /** A folder for each call so far. */
  get #recorded(): string {
    return join(this.#folder, 'recorded');
  }

  #rawFolder(testName: string): string {
    return join(this.#folder, 'raw', testName.replaceAll('/', '-'));
  }

  #report(name: string, reports: NonNullable<CoverageReportOptions['reports']>): CoverageReport {
    const recorded = this.#recorded;
    return new CoverageReport({
      outputDir: join(this.#folder, name),
      cleanCache: false,
      logging: 'error',
      inputDir: existsSync(recorded) ? readdirSync(recorded).map((each) => join(recorded, each)) : [],
      reports: ['v8', 'json-summary', ...reports],
      // Files that no test loads count too, with nothing covered.
      all: {
        dir: [join(this.#dist, 'runner'), join(this.#dist, 'jobs')],
        filter: (path) => path.endsWith('.js'),
        transformer: attachSourceMap,
      },
      entryFilter: ({ url }) => MEASURED.test(relative(this.#dist, url.replace(/^file:\/\//, ''))),
      sourceFilter: (path) => MEASURED.test(path),
      sourcePath: (path) => path.replace(/^.*?(?=(runner|jobs)\/)/, ''),
    });
  }
}

async function generate(report: CoverageReport): Promise<CoverageResults> {
  const results = await report.generate();
  if (results === undefined) throw new Error('no process recorded coverage: did the tests start?');
  return results;
}

/**
 * A process that is killed while it writes leaves half a file, which goes. Modules that tests run from a copy of dist/, a
 * build without its addon say, count as those in `dist` if they are as long: V8 tells where a script ends.
 */
function prepareRaw(file: string, dist: string): void {
  let raw: RawCoverage;
  try {
    raw = JSON.parse(readFileSync(file, 'utf8')) as RawCoverage;
  } catch {
    rmSync(file);
    return;
  }
  for (const script of raw.result) {
    script.functions = comparable(script.functions);
    const [, path] = MODULE.exec(script.url) ?? [];
    const own = path === undefined ? undefined : join(dist, path);
    const length = script.functions[0]?.ranges[0]?.endOffset;
    if (own === undefined || script.url === pathToFileURL(own).href || !existsSync(own)) continue;
    if (readFileSync(own, 'utf8').length === length) script.url = pathToFileURL(own).href;
  }
  writeFileSync(file, JSON.stringify(raw));
}

/** A file that nothing loaded is shown as its TypeScript source, like the others. */
async function attachSourceMap(entry: V8CoverageEntry): Promise<void> {
  const file = fileURLToPath(entry.url);
  entry.source = readFileSync(file, 'utf8');
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { sources: string[] };
  const sourcesContent = map.sources.map((source) => readFileSync(join(dirname(file), source), 'utf8'));
  entry.sourceMap = { ...map, sourcesContent };
}
