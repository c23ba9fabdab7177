/** Collects V8's coverage of every process that a test file starts (NODE_V8_COVERAGE reaches ranks too), file by file. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CoverageReport, type CoverageResults, type V8CoverageEntry } from 'monocart-coverage-reports';

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
      for (const name of readdirSync(raw)) removeIfCut(join(raw, name));
      await this.#report().addFromDir(raw);
    }
    rmSync(raw, { recursive: true, force: true });
  }

  async results(): Promise<CoverageResults> {
    const results = await this.#report().generate();
    if (results === undefined) throw new Error('no process recorded coverage: did the tests start?');
    return results;
  }

  #rawFolder(testName: string): string {
    return join(this.#folder, 'raw', testName.replaceAll('/', '-'));
  }

  #report(): CoverageReport {
    const dist = join(this.#root, 'dist');
    const recorded = join(this.#folder, 'recorded');
    return new CoverageReport({
      outputDir: join(this.#folder, 'report'),
      cleanCache: false,
      logging: 'error',
      // What earlier calls recorded, and a place for what this one has.
      inputDir: existsSync(recorded) ? readdirSync(recorded).map((name) => join(recorded, name)) : [],
      reports: [
        'v8',
        'json-summary',
        ['raw', { merge: true, outputDir: join(recorded, String(Date.now())) }],
      ],
      // Files that no test loads count too, with nothing covered.
      all: {
        dir: [join(dist, 'runner'), join(dist, 'jobs')],
        filter: (path) => path.endsWith('.js'),
        transformer: attachSourceMap,
      },
      entryFilter: ({ url }) => MEASURED.test(relative(dist, url.replace(/^file:\/\//, ''))),
      sourceFilter: (path) => MEASURED.test(path),
      sourcePath: (path) => path.replace(/^.*?(?=(runner|jobs)\/)/, ''),
    });
  }
}

/** A process that is killed while it writes leaves half a file. */
function removeIfCut(file: string): void {
  try {
    JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    rmSync(file);
  }
}

/** A file that nothing loaded is shown as its TypeScript source, like the others. */
async function attachSourceMap(entry: V8CoverageEntry): Promise<void> {
  const file = fileURLToPath(entry.url);
  entry.source = readFileSync(file, 'utf8');
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { sources: string[] };
  const sourcesContent = map.sources.map((source) => readFileSync(join(dirname(file), source), 'utf8'));
  entry.sourceMap = { ...map, sourcesContent };
}
