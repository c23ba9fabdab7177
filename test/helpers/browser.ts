/** A real browser for tests of pages: Debian's chromium, driven by playwright-core, which brings none of its own. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import type { Missing } from './require.js';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = PLACES.find((path) => existsSync(path));

/** Not set up for CI: it is some 400 MB, for one test file. */
export function needsBrowser(): Missing {
  return executablePath === undefined ? "needs chromium (Debian's package of that name)" : false;
}

export async function withBrowser<T>(body: (browser: Browser) => Promise<T>): Promise<T> {
  if (executablePath === undefined) throw new Error('no browser');
  // Root has no sandbox to drop into; the page is our own file.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: 120_000 });
  try {
    return await body(browser);
  } finally {
    await browser.close();
  }
}
