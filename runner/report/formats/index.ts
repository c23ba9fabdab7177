/** Every format by its name. */
import { bencherFormat } from './bencher.js';
import type { FormatName, ReportFormat } from './format.js';
import { githubActionFormat } from './github-action.js';
import { junitFormat } from './junit.js';
import { markdownFormat } from './markdown.js';
import { otavaFormat } from './otava.js';
import { prometheusFormat } from './prometheus.js';

/** A page is drawn by a library that takes time to load: only when it is asked for. */
const htmlFormat: ReportFormat = {
  write: async (report) => {
    const { reportPage } = await import('../html/page.js');
    return [{ name: 'report.html', text: await reportPage(report) }];
  },
};

export const REPORT_FORMATS: Readonly<Record<FormatName, ReportFormat>> = {
  html: htmlFormat,
  markdown: markdownFormat,
  junit: junitFormat,
  bencher: bencherFormat,
  'github-action': githubActionFormat,
  prometheus: prometheusFormat,
  otava: otavaFormat,
};
