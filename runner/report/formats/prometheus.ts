/**
 * Prometheus text format 0.0.4, for node_exporter's textfile collector: base units, no timestamps (it refuses them), every
 * family in one block. Figures are of the newest run's keys, medians where there are several runs.
 */
import { isBad } from '../model.js';
import type { KeyFigures } from '../repeats.js';
import type { ReportFormat } from './format.js';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export const prometheusFormat: ReportFormat = {
  write: (report, figures) => {
    const runs = report.suites.flatMap((suite) => suite.runs);
    const families: Family[] = [
      family(figures, 'time_p50_seconds', 'Median completion time of an iteration.', (f) =>
        seconds(f.p50Us?.median),
      ),
      family(figures, 'bandwidth_bytes_per_second', 'Payload over time, all ranks together.', (f) =>
        bytesPerSecond(f.totalGBps?.median),
      ),
      family(figures, 'peak_ratio', 'Bandwidth over the limit probed in the same run.', (f) =>
        ratio(f.pctOfPeak?.median),
      ),
      family(figures, 'wrong_words', 'Words of 8 bytes that verification found to differ.', (f) => f.wrong),
      family(
        figures,
        'failed',
        '1 where the point is wrong, failed, timed out, was aborted or is missing.',
        (f) => (isBad(f.status) ? 1 : 0),
      ),
      {
        name: 'railrunner_run_ok',
        help: '1 where the manifest of the run says ok and nothing of it is missing.',
        samples: runs.map((run) => ({
          labels: { run: run.runId, spec: run.specName },
          value: run.outcome === 'ok' && run.complaints.length === 0 ? 1 : 0,
        })),
      },
      {
        name: 'railrunner_run_start_time_seconds',
        help: 'Start of the run in seconds since 1970.',
        samples: runs.map((run) => ({
          labels: { run: run.runId, spec: run.specName },
          value: run.startedAt.getTime() / 1000,
        })),
      },
    ];
    return [{ name: 'railrunner.prom', text: families.map(familyText).join('') }];
  },
};

function family(
  figures: readonly KeyFigures[],
  name: string,
  help: string,
  pick: (figure: KeyFigures) => number | undefined,
): Family {
  const samples = figures.flatMap((figure): Sample[] => {
    const value = pick(figure);
    return value === undefined ? [] : [{ labels: labelsOf(figure), value }];
  });
  return { name: `railrunner_${name}`, help, samples };
}

function labelsOf({ key, name }: KeyFigures): Record<string, string> {
  return {
    key: name,
    spec: key.specName,
    job: key.jobId,
    kind: key.kind,
    params: key.params,
    phase: key.phase,
    timing: key.timing,
    direction: key.direction,
    layout: key.layout,
    series: key.series,
  };
}

const seconds = (us: number | undefined): number | undefined => (us === undefined ? undefined : us / 1e6);
const bytesPerSecond = (GBps: number | undefined): number | undefined =>
  GBps === undefined ? undefined : GBps * 1e9;
const ratio = (percent: number | undefined): number | undefined =>
  percent === undefined ? undefined : percent / 100;

function familyText({ name, help, samples }: Family): string {
  if (samples.length === 0) return '';
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}{${pairs.join(',')}} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines, ''].join('\n');
}

/** A carriage return would end the line for some readers, and has no escape of its own. */
function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', ' ');
}
