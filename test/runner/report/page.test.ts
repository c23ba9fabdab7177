/** The page in a real browser: what its readers see, with and without script, on every screen and on paper. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t from 'tap';
import type { Comparison } from '../../../runner/report/model.js';
import { render } from '../../../runner/report/write-report.js';
import { needsBrowser, withBrowser } from '../../helpers/browser.js';
import {
  measuredCells,
  reportOf,
  writeReportRun,
  writeTroubledRun,
  UNJUDGED,
} from '../../helpers/report-runs.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const skip = needsBrowser();
/** Loads and runs whatever it can, where a text gets through as markup. */
const SCRIPTED = '<img src=x onerror="globalThis.ran = true"><script>globalThis.ran = true</script>';

const COMPARISON: Comparison = {
  baseline: 'main',
  candidate: 'branch',
  outcome: 'regression',
  summary: 'regression: 1 regressed, 1 missing, 1 equal; branch against main',
  bounds: 'Lines: bounds of 95 %.',
  notes: ['1 of 2 keys were measured again'],
  judged: [
    {
      ...UNJUDGED,
      key: 'down a',
      word: 'regressed',
      basis: 'confirmed',
      ratio: 1.2,
      ratioLow: 1.1,
      ratioHigh: 1.3,
      wouldSeePct: 30,
      slowerShare: 1,
      numPairs: 10,
    },
    { ...UNJUDGED, key: 'down c', word: 'missing', note: SCRIPTED },
    {
      ...UNJUDGED,
      key: 'down b',
      word: 'equal',
      ratio: 1.01,
      ratioLow: 0.98,
      ratioHigh: 1.02,
      slowerShare: 0.5,
    },
  ],
  times: new Map([
    ['down a', { baseline: [100, 101, 102], candidate: [119, 120, 121] }],
    ['down b', { baseline: [100, 101, 102], candidate: [100, 102, 103] }],
  ]),
};

/** A page of two runs and an older one, with a failure and a comparison. */
async function writePage(folder: string): Promise<string> {
  const failing = writeTroubledRun(folder);
  const summary = join(failing, 'summary.csv');
  writeFileSync(summary, readFileSync(summary, 'utf8').replace('|', SCRIPTED.replaceAll('"', '""')));
  const older = writeReportRun(folder, {
    runId: 'older',
    startedAt: '2025-12-01T00:00:00.000Z',
    cells: (point) => measuredCells(point, 1.1),
  });
  const report = { ...(await reportOf([failing], [older])), comparison: COMPARISON };
  const file = (await render(report, ['html']))[0];
  const path = join(folder, 'report.html');
  writeFileSync(path, file?.text ?? '');
  return pathToFileURL(path).href;
}

interface Opened {
  readonly page: Page;
  readonly problems: string[];
  readonly requests: string[];
}

async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(120_000);
  const problems: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, problems, requests };
}

/** In the page there is a DOM; here there are no types of one. */
const inPage = <T>(page: Page, script: string): Promise<T> => page.evaluate(script);

t.test(
  'the page: one file, searchable, with tips, and no text of a file is run',
  { skip, timeout: 300_000 },
  (t) =>
    withTempDir((folder) =>
      withBrowser(async (browser) => {
        const { page, problems, requests } = await open(browser, await writePage(folder));
        t.same(problems, [], 'nothing is complained of');
        t.same(
          requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:')),
          [],
          'nothing is fetched',
        );
        t.equal(
          await inPage(page, 'globalThis.ran === undefined && document.images.length'),
          0,
          'no text ran',
        );
        t.match(
          await page.locator('.notice').textContent(),
          /outcome is failed[^]*1 point of 8 without a row/,
        );
        const titles = await page.locator('figcaption strong').allTextContents();
        t.same(titles, [
          'A against B',
          'Runs of A and of B',
          'Bandwidth over size',
          'Distribution of times',
          'Stragglers by rank',
          'Bytes by transport',
          'History of small',
        ]);

        t.same(
          await inPage<string[]>(
            page,
            `[...document.querySelectorAll('figure svg text')].filter((text) => {
              const [own, all] = [text, text.closest('svg')].map((element) => element.getBoundingClientRect());
              return own.left < all.left - 1 || own.right > all.right + 1;
            }).map((text) => text.textContent)`,
          ),
          [],
          'no label is cut off',
        );

        const all = await page.locator('tr[data-row]:visible').count();
        await page.getByLabel('Search rows').fill('kernel failed');
        await page
          .locator('#found')
          .filter({ hasText: /^1 of / })
          .waitFor();
        t.equal(await page.locator('tr[data-row]:visible').count(), 1);
        t.match(await page.locator('tr[data-row]:visible').textContent(), /blocks=2 strategy=kernel.*E_JOB/);
        await page.getByLabel('Search rows').fill('');
        await page.locator('#found').filter({ hasText: /^$/ }).waitFor({ state: 'attached' });
        t.equal(await page.locator('tr[data-row]:visible').count(), all);

        await page
          .locator('figure', { hasText: 'Bandwidth over size' })
          .locator('[data-tip]')
          .first()
          .hover();
        t.match(
          await page.locator('#tip').textContent(),
          /strategy=kernel\n.*blocks=1.*\n32 KiB\n1\.06 GB\/s\n26\.4 % of peak/,
        );
      }),
    ),
);

t.test('dark and light, narrow and wide, on paper, without script', { skip, timeout: 300_000 }, (t) =>
  withTempDir((folder) =>
    withBrowser(async (browser) => {
      const url = await writePage(folder);
      const grounds = new Set<unknown>();
      for (const colorScheme of ['light', 'dark'] as const) {
        for (const width of [360, 1400]) {
          const { page } = await open(browser, url, { colorScheme, viewport: { width, height: 800 } });
          t.ok(
            await inPage(page, 'document.documentElement.scrollWidth <= innerWidth'),
            `${colorScheme} ${width}: no sideways scrolling`,
          );
          const [ground, text, label] = await inPage<string[]>(
            page,
            `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
              getComputedStyle(document.querySelector('svg text')).fill]`,
          );
          grounds.add(ground);
          t.equal(label, text, 'plots take the colours of the page');
        }
      }
      t.equal(grounds.size, 2);

      const { page } = await open(browser, url, { colorScheme: 'dark', javaScriptEnabled: false });
      t.notOk(await page.getByLabel('Search rows').isVisible(), 'without script there is no search');
      t.equal(await page.locator('tr[data-row]:visible').count(), await page.locator('tr[data-row]').count());
      t.equal(await page.locator('figure svg:visible').count(), 7, 'and everything else');

      const printed = (await open(browser, url, { colorScheme: 'dark' })).page;
      await printed.emulateMedia({ media: 'print' });
      t.equal(await inPage(printed, 'getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
      t.notOk(await printed.getByLabel('Search rows').isVisible());
      t.equal((await printed.pdf({ format: 'A4' })).subarray(0, 5).toString(), '%PDF-');
    }),
  ),
);

t.test('axe-core finds nothing that keeps people out, dark or light', { skip, timeout: 300_000 }, (t) =>
  withTempDir((folder) =>
    withBrowser(async (browser) => {
      const url = await writePage(folder);
      const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page } = await open(browser, url, { colorScheme });
        await inPage(page, axe);
        const found = await inPage<{ violations: { id: string; nodes: { html: string }[] }[] }>(
          page,
          'axe.run()',
        );
        t.same(
          found.violations.map(
            ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join('; ')}`,
          ),
          [],
          colorScheme,
        );
      }
      const { page } = await open(browser, url);
      for (const figure of await page.getByRole('img').all()) {
        t.match(
          await figure.getAttribute('aria-label'),
          /\w+ of .*\. \w.*\.$/,
          'a plot says in words what it shows',
        );
      }
      t.equal(await page.getByRole('img').count(), 7);
    }),
  ),
);
