/** Each format as its readers read it: by their published schema, in our words, or by a public parser. */
import { Ajv } from 'ajv';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import parsePrometheus from 'parse-prometheus-text-format';
import t from 'tap';
import {
  measuredCells,
  reportOf,
  textOf,
  writeReportRun,
  writeTroubledRun,
} from '../../helpers/report-runs.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

function checked(schema: object, value: unknown): unknown {
  const ajv = new Ajv({ strict: false });
  return ajv.validate(schema, value) ? [] : ajv.errors;
}

const KERNEL_8 = 'small/down/total/host/device->host blocks=8 strategy=kernel @2';
const FAILED = 'small/down/point blocks=2 strategy=kernel @2';

/** bencher.dev/bmf.json: benchmark -> measure -> value, with optional bounds. Names have limits that the page tells. */
const BMF = {
  type: 'object',
  propertyNames: { minLength: 1, maxLength: 1024 },
  additionalProperties: {
    type: 'object',
    propertyNames: { pattern: '^[a-z0-9-]{1,64}$' },
    additionalProperties: {
      type: 'object',
      properties: {
        value: { type: 'number' },
        lower_value: { type: 'number' },
        upper_value: { type: 'number' },
      },
      required: ['value'],
      additionalProperties: false,
    },
  },
};

t.test('Bencher: figures by key, medians with bounds over runs, and failures as a measure', (t) =>
  withTempDir(async (folder) => {
    const slow = writeReportRun(folder, { runId: 'slow', cells: (point) => measuredCells(point, 2) });
    const report = await reportOf([writeTroubledRun(folder), slow]);
    const bmf = JSON.parse(await textOf(report, 'bencher', 'bencher.json')) as Record<
      string,
      Record<string, object>
    >;
    t.same(checked(BMF, bmf), []);
    t.same(bmf[KERNEL_8]?.['time-p50-us'], { value: 162, lower_value: 108, upper_value: 216 });
    t.same(bmf[KERNEL_8]?.['failed'], { value: 0 });
    t.same(bmf[FAILED], { failed: { value: 1 } }, 'a point that failed is there, without a time');
  }),
);

/** The action parses entries by name, value, unit and optional range and extra, and refuses an empty list. */
const GITHUB_ACTION = {
  type: 'array',
  minItems: 1,
  items: {
    type: 'object',
    properties: {
      name: { type: 'string' },
      value: { type: 'number' },
      unit: { type: 'string' },
      range: { type: 'string' },
      extra: { type: 'string' },
    },
    required: ['name', 'value', 'unit'],
    additionalProperties: false,
  },
};

t.test('github-action-benchmark: times and bandwidths, a file for each direction', (t) =>
  withTempDir(async (folder) => {
    const report = await reportOf([writeReportRun(folder)]);
    for (const [name, unit] of [
      ['github-action-smaller.json', 'us'],
      ['github-action-bigger.json', 'GB/s'],
    ] as const) {
      const entries = JSON.parse(await textOf(report, 'github-action', name)) as {
        name: string;
        unit: string;
      }[];
      t.same(checked(GITHUB_ACTION, entries), []);
      t.equal(entries.length, 8);
      t.equal(new Set(entries.map((entry) => entry.name)).size, 8, 'names differ');
      t.ok(entries.every((entry) => entry.unit === unit));
    }
  }),
);

interface JUnitCase {
  readonly '@classname': string;
  readonly '@name': string;
  readonly '@time': string;
  readonly failure?: { readonly '@message': string; readonly '#text': string };
  readonly skipped?: object;
}

t.test('JUnit: what reporters read, and nothing that one of them takes for a pass', (t) =>
  withTempDir(async (folder) => {
    const report = await reportOf([writeTroubledRun(folder)]);
    const xml = await textOf(report, 'junit', 'junit.xml');
    t.equal(XMLValidator.validate(xml), true);
    t.notOk(xml.includes('\u0007'), 'control characters cannot stand in XML');
    t.notMatch(xml, /<error|<properties/);
    const options = {
      ignoreAttributes: false,
      attributeNamePrefix: '@',
      parseAttributeValue: false,
      isArray: (name: string) => /^test(suite|case)$/.test(name),
    };
    const parsed = new XMLParser(options).parse(xml) as {
      testsuites: {
        '@tests': string;
        '@failures': string;
        testsuite: {
          '@name': string;
          '@tests': string;
          '@failures': string;
          '@time': string;
          testcase: JUnitCase[];
        }[];
      };
    };
    const { testsuite: suites, ...all } = parsed.testsuites;
    t.match(all, { '@tests': '9', '@failures': '3' });
    const job = suites.find((suite) => suite['@name'] === 'small.down');
    t.match(job, { '@tests': '8', '@failures': '2' });
    t.match(job?.['@time'], /^\d+\.\d{6}$/);
    t.equal(
      new Set(job?.testcase.map((entry) => entry['@name'])).size,
      8,
      'of equal names GitLab counts one',
    );
    t.ok(job?.testcase.every((entry) => entry['@classname'] === 'small.down'));
    const failure = job?.testcase.find((entry) =>
      entry['@name'].includes('blocks=2 strategy=kernel'),
    )?.failure;
    t.match(failure?.['#text'], /^failed on rank 1: E_JOB: a "quoted" <b>& \\ back\nsecond line/);
    t.match(failure?.['@message'], /a "quoted" <b>&/, 'message and body tell the same');
    t.ok(job?.testcase.some((entry) => entry.skipped !== undefined));
    t.match(suites.find((suite) => suite['@name'] === 'small.run')?.testcase[0]?.failure, {
      '#text': /outcome is failed[^]*1 point of 8 without a row/,
    });
  }),
);

t.test('Prometheus: a public parser finds every sample, labels whole', (t) =>
  withTempDir(async (folder) => {
    const report = await reportOf([writeTroubledRun(folder)]);
    const text = await textOf(report, 'prometheus', 'railrunner.prom');
    t.ok(text.endsWith('\n'));
    const families = parsePrometheus(text);
    const names = families.map((family) => family.name);
    t.equal(new Set(names).size, names.length, 'all lines of a family stand together');
    t.ok(families.every((family) => family.type === 'GAUGE' && family.help !== ''));
    const times = families.find((family) => family.name === 'railrunner_time_p50_seconds');
    const sample = times?.metrics.find((metric) => metric.labels?.['key'] === KERNEL_8);
    t.equal(Number(sample?.value), 108 / 1e6);
    t.equal(sample?.labels?.['params'], '{"blocks":8,"strategy":"kernel"}');
    const failed = families.find((family) => family.name === 'railrunner_failed');
    t.equal(failed?.metrics.filter((metric) => metric.value === '1').length, 2);
    for (const line of text.trim().split('\n')) {
      if (!/^(# (HELP|TYPE) |[a-z_0-9]+\{.*\} [-+.\de]+$)/.test(line))
        t.fail(`neither comment nor sample: ${line}`);
    }
  }),
);

t.test('one spec on two devices: keys stay apart', (t) =>
  withTempDir(async (folder) => {
    const other = writeReportRun(folder, { runId: 'two', deviceName: 'another' });
    const report = await reportOf([writeReportRun(folder), other]);
    const bmf = JSON.parse(await textOf(report, 'bencher', 'bencher.json')) as object;
    t.equal(Object.keys(bmf).length, 16);
  }),
);
