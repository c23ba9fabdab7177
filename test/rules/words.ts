/** Words and calls that have no place, or only one. */
import { lineOf, type Source, type Violation } from './sources.js';

interface Ban {
  readonly pattern: RegExp;
  /** Where the rule holds. */
  readonly where: RegExp;
  /** Exceptions within that. */
  readonly except?: RegExp;
  readonly remedy: string;
}

const UNFINISHED = 'TODO|FIXME|XXX|HACK';
/** Units that a quantity is told per: "one row per rank". */
const UNITS = 'rank|node|point|token|peer|layer|region|GPU|second|message|expert|iteration';
const MACHINE_FOLDERS = 'home|root|work|Users';
/** The rule's own files name what they forbid. */
const OWN_FILES = /^test\/rules\/words/;

const BANS: readonly Ban[] = [
  {
    pattern: /\b(under way|held against|by turns|mend|mends|mended|native rooms?|room's files)\b/gi,
    where: /./,
    remedy: 'Say it in standard terms: in flight, compared with, interleaved, fix, module',
  },
  {
    // Of CSS and of tables it is the word.
    pattern: /\bborders?\b(?!["']?\s*[:-])/gi,
    where: /./,
    except: /^runner\/report\/html\/|^docs\/bench\/.*csv$/,
    remedy: 'A stage has a boundary',
  },
  {
    pattern:
      /\brooms\b|\b(all|every|each|both|several|copy|send) ways? (of|to) (copy|copying|move|moving|send|sending)\b|\b(plain|same|one|third) ways? (as|of copying|of moving)\b|\bover all ways\b/gi,
    where: /./,
    remedy: 'Say module; path, strategy or transport',
  },
  {
    pattern: /\b(not to be trusted|faults on purpose|stage.s borders?|spec faults?)\b/gi,
    where: /./,
    remedy: 'Say it in standard terms: do not rely on, injected fault, stage boundary, issue of a spec',
  },
  {
    pattern: new RegExp(
      `\\b(once|one|row|rows|buffer|bytes|requests|ranks|elements) an? (${UNITS})\\b`,
      'gi',
    ),
    where: /./,
    remedy: 'A quantity is told per unit: "one row per rank"',
  },
  {
    pattern:
      /\b(anew|beside|in silence|set-up|told apart|work planes?|world of one|held for (dead|lost)|(can|cannot|could|could not|not to) be had)\b/gi,
    where: /./,
    remedy:
      'Say it in standard terms: again, next to, silently, setup, distinguished, exchange, rank 0 of 1, counts as dead, available',
  },
  {
    pattern: new RegExp(`\\b(${UNFINISHED})\\b`, 'g'),
    where: /./,
    remedy: 'Do it now, or write down what is so as a fact',
  },
  {
    pattern: new RegExp(`(?<![\\w.~$}/])/(${MACHINE_FOLDERS})/\\w`, 'g'),
    where: /./,
    remedy: 'No path of one machine: derive it from projectRoot, or take it as an argument',
  },
  {
    pattern: /\bprocess\.env\b/g,
    where: /^(runner|jobs)\//,
    except: /^runner\/environment\//,
    remedy: 'Read the environment in runner/environment and hand the value on',
  },
  {
    pattern: /\bprocess\.(exit|reallyExit|abort)\(/g,
    where: /^(runner|jobs)\//,
    except: /^runner\/main\.ts$/,
    remedy: 'Throw a RunnerError, or return the status: only runner/main.ts ends the process',
  },
  {
    pattern: /\b(secure_)?getenv\s*\(|\b(un)?setenv\s*\(|\bputenv\s*\(/g,
    where: /^native\//,
    // A test may set what a library reads in the child that it forks.
    except: /^native\/test\//,
    remedy: 'Native code gets values passed: read them in runner/environment',
  },
  {
    pattern: /(?<![\w:])(std::)?(exit|abort|quick_exit)\s*\(\s*(\d|EXIT_|\))/g,
    where: /^native\//,
    except: /^native\/test\//,
    remedy: 'Throw railrunner::Error',
  },
  {
    pattern: /\bcudaMemcpy\([^;]*?\bcudaMemcpyHostToDevice\b/g,
    where: /^native\//,
    // Benchmarks and tests wait for the device before they go on.
    except: /^native\/(test|bench)\/|^native\/device\/cuda\/cuda_call\.cc$/,
    remedy: 'Call copyToDevice: cudaMemcpy may return before a kernel on another stream can read the bytes',
  },
  {
    pattern: /\bconsole\.\w+\(/g,
    where: /^(runner|jobs)\//,
    remedy: 'Log by pino, or write to the stream that the command was handed',
  },
  {
    pattern:
      /@ts-(ignore|expect-error|nocheck)|(oxlint|eslint)-disable(?![^\n]*-- \w)|prettier-ignore|clang-format off/g,
    where: /./,
    remedy: 'Fix what the tool says; an oxlint-disable says why behind --',
  },
  {
    pattern: /\bas any\b|: any\b|<any>/g,
    where: /^(runner|jobs|scripts|test)\/.*\.ts$/,
    remedy: 'Use unknown',
  },
  {
    pattern: /\.only\(|only: true/g,
    where: /^test\//,

    remedy: 'Let all tests run',
  },
];

export function wordViolations(sources: readonly Source[], bans: readonly Ban[] = BANS): Violation[] {
  const violations: Violation[] = [];
  for (const { path, text } of sources) {
    for (const { pattern, where, except, remedy } of bans) {
      if (!where.test(path) || except?.test(path) || OWN_FILES.test(path)) continue;
      for (const match of text.matchAll(pattern)) {
        const what = `"${match[0]}" does not belong here`;
        violations.push({ where: `${path}:${lineOf(text, match.index)}`, what, remedy });
      }
    }
  }
  return violations;
}

/** Names that say nothing of what is inside. */
export function nameViolations(paths: readonly string[]): Violation[] {
  return paths.flatMap((path) => {
    const file = path.split('/').at(-1) ?? '';
    if (/^(utils?|helpers?|misc|common)\.(ts|cc|h|cu)$/.test(file)) {
      return [
        { where: path, what: `${file} names no concept`, remedy: 'Name the file after what it is about' },
      ];
    }
    const isTs = file.endsWith('.ts');
    const isCpp = /\.(cc|h|cu|cuh)$/.test(file);
    const legal = isTs
      ? /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d|\.generated)?\.ts$/
      : /^[a-z0-9]+(_[a-z0-9]+)*\.\w+$/;
    if ((isTs || isCpp) && !legal.test(file)) {
      const remedy = isTs ? 'TypeScript files are kebab-case' : 'C++ files are snake_case';
      return [{ where: path, what: `${file} does not follow the naming convention`, remedy }];
    }
    return [];
  });
}
