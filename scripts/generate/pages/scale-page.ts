/**
 * docs/scale.md and its plot: messages of the control plane by size of the world, from docs/bench/control-plane.csv, and
 * memory of a rank, from the plan of configs/large-world.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { JOB_KINDS } from '../../../jobs/index.js';
import { requireRunnable } from '../../../runner/job-spec/require-runnable.js';
import { projectRoot } from '../../../runner/project.js';
import { formatBytes } from '../../../runner/text/bytes.js';

const SOURCE = join('docs', 'bench', 'control-plane.csv');
const DIRECT = 'allgather: each tells each';
const COLOURS: Readonly<Record<string, string>> = {
  [DIRECT]: '#b4552d',
  allgather: '#2d7fb4',
  maximum: '#7a7a7a',
  'heartbeats per period': '#c9a227',
};

interface Row {
  readonly exchange: string;
  readonly ranks: number;
  readonly messages: number;
  readonly bytes: number;
  /** NaN for heartbeats, which nobody waits for. */
  readonly timeUs: number;
}

function readRows(): Row[] {
  const [, ...lines] = readFileSync(join(projectRoot, SOURCE), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [exchange = '', ranks, messages, bytes, timeUs = ''] = line.split(',');
    const time = timeUs === '' ? Number.NaN : Number(timeUs);
    return { exchange, ranks: Number(ranks), messages: Number(messages), bytes: Number(bytes), timeUs: time };
  });
}

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 64;
const RIGHT = 190;
const TOP = 16;
const BOTTOM = 44;

/** Messages per rank over ranks, both on a logarithmic scale. */
export function scaleFigure(): string {
  const rows = readRows();
  const most = Math.max(...rows.map(({ ranks }) => ranks));
  const least = Math.min(...rows.map(({ ranks }) => ranks));
  const x = (ranks: number): number =>
    LEFT + ((WIDTH - LEFT - RIGHT) * Math.log2(ranks / least)) / Math.log2(most / least);
  const highest = Math.max(...rows.map(({ messages }) => messages));
  const y = (messages: number): number =>
    TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.log10(messages) / Math.log10(highest));
  const lines = Object.entries(COLOURS).map(([exchange, colour]) => {
    const own = rows.filter((row) => row.exchange === exchange);
    const points = own.map((row) => `${x(row.ranks).toFixed(1)},${y(row.messages).toFixed(1)}`).join(' ');
    const last = own.at(-1);
    if (last === undefined) throw new Error(`${SOURCE} has no rows of ${exchange}`);
    // Below the allgather's, which ends at the same height.
    const down = exchange === 'maximum' ? 18 : 4;
    const label = `<text x="${(x(last.ranks) + 8).toFixed(1)}" y="${(y(last.messages) + down).toFixed(1)}" fill="${colour}">${exchange}</text>`;
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>${label}`;
  });
  const across = rows
    .filter(({ exchange }) => exchange === 'allgather')
    .filter((_, index) => index % 2 === 0)
    .map(
      ({ ranks }) =>
        `<text x="${x(ranks).toFixed(1)}" y="${HEIGHT - 24}" text-anchor="middle">${ranks}</text>`,
    );
  const up = [1, 10, 100, 1000].map(
    (messages) =>
      `<text x="${LEFT - 8}" y="${(y(messages) + 4).toFixed(1)}" text-anchor="end">${messages}</text>` +
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(messages).toFixed(1)}" y2="${y(messages).toFixed(1)}" stroke="#ddd"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<title>Messages per rank by size of the world</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...up,
    ...across,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">ranks</text>`,
    `<text x="14" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 ${HEIGHT / 2})">messages per rank</text>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

const HEAD = `# Large worlds

## The control plane

Ranks agree, gather small records and monitor each other over MPI (docs/architecture.md). This page shows what that costs as the
world grows. It runs the control plane's own code over a simulated MPI, all ranks in one process (\`control_plane_scale_bench\`): a
message takes 2 us on the wire and 0.5 us of CPU at each end, bytes move at 10 GB/s. Messages and bytes are exact and those of the
busiest rank; times follow from this model.

- **Allgather** (setting up buffers, networks and communicators; eight to ten per point): up to 16 ranks every rank sends to
  every other in one round, so a rank knows which one it is missing. Above, blocks travel in rounds of doubling distance
  (Bruck et al. 1997). A record has 8 bytes here.
- **Maximum** (barriers, the sampling gate between nodes): dissemination, ceil(log2 n) rounds.
- **Heartbeats**: every 150 ms along a tree of fan-out 32. An inner rank reports on the ranks below it, so bytes near the root
  grow with the world (56 per rank), while no rank has more than 33 neighbours.

Bootstrap and stage agreements use non-blocking MPI collectives, whose algorithms are MPI's own. A rank that fails
notifies all others itself: n - 1 messages, once.

![Messages per rank](scale.svg)
`;

const WORLDS = [8, 16, 64, 512];

const MEMORY = `
## Memory of a rank

From \`plan configs/large-world.json --world-size N\`: 512 experts, 128 tokens of 7168 bf16 columns and 8 choices per rank, and
64 blocks of DeepSeek-V3 on one rank for all. How memory grows with the number of ranks N:

- **Symmetric buffer** of dispatch and combine: two halves with a slot per source and token, so N x tokens x message; with \`dedup: off\` a
  slot per expert and token, independent of N, which is far larger while there are fewer ranks than experts.
- **Results**: \`expertMajor\` holds numExperts x tokens rows for any N (each rank has 1/N of the experts, with slots for N
  sources); \`rankMajor\` holds N x tokens rows. In addition N x tokens x (4 + 8 x numTopk) bytes for the origin of messages.
- **KV pools** do not grow; in mode \`replicated\` host and disk tiers are only on the root.
- **Shared words**: 128 bytes per rank of a node for the sampling gate, 56 bytes per rank in heartbeats near the root, and
  64 bytes per step for strategy \`ipc\`.

`;

const REAL = `
## Real runs

A run of an offload and of dispatch and combine, every row verified, by many more ranks than cores: 64, 128 and 256 on 2 cores that
others used as well (\`scripts/bench/many-ranks.ts\`; rows in bench/many-ranks-N.csv, machine and commit in
[what railrunner itself costs](bench/startup.md)). Counts are those of the rank with the most, and of one process.

`;

const AFTER_REAL = `
Of what grows with the ranks of a host:

- **Descriptors**: two pipes for each rank that MPICH's mpirun has started before, which it leaves open in the later ones. railrunner
  adds one per buffer of its own, whatever the number of ranks: a peer's memory is mapped and its descriptor closed.
- **Mappings**: dispatch and combine map the buffer of each rank of the node, one mapping each.
- **Memory** stays at 37 to 42 MiB per rank, which is Node, MPI and their heaps.
- **CPU time** per rank grows, as each exchange waits for each rank of the node, and a rank that gets no core for a second is waited for
  by all others.
- **Deadlines**: 60 s for a step of the start and 5 s of silence are too short where 128 processes take turns on a core;
  \`RAILRUNNER_WORLD_TIMEOUT_SECONDS\` and \`RAILRUNNER_PEER_TIMEOUT_SECONDS\` were 1200.
`;

function realTable(): string[] {
  const rows = parse(readFileSync(join(projectRoot, 'docs', 'bench', 'many-ranks.csv'))) as string[][];
  const [head = [], ...lines] = rows.map((row) => `| ${row.join(' | ')} |`);
  return [head as string, `| ${rows[0]?.map(() => '--:').join(' | ')} |`, ...lines];
}

function memoryTable(): string[] {
  const columns = WORLDS.map((worldSize) => {
    const spec = requireRunnable(join(projectRoot, 'configs', 'large-world.json'), worldSize, {
      kinds: JOB_KINDS,
    });
    return spec.points.map((point) => {
      const kind = JOB_KINDS.find(({ kind: name }) => name === point.job.kind);
      const place = { worldSize, rank: worldSize - 1, ranksPerNode: 8, device: 'cuda' } as const;
      const need = kind?.need?.(point, place) ?? kind?.plan(point, place);
      const swept = Object.entries(point.swept).map(([key, value]) => `${key} ${String(value)}`);
      return { name: [point.job.id, ...swept].join(', '), bytes: need?.memoryBytes.device ?? 0 };
    });
  });
  const [first = []] = columns;
  return [
    `| device memory of the last rank | ${WORLDS.map((ranks) => `${ranks} ranks`).join(' | ')} |`,
    `| --- | ${WORLDS.map(() => '--:').join(' | ')} |`,
    ...first.map(({ name }, index) => {
      const cells = columns.map((points) => formatBytes(points[index]?.bytes ?? 0));
      return `| ${name} | ${cells.join(' | ')} |`;
    }),
  ];
}

export function scalePage(): string {
  const rows = readRows();
  const of = (exchange: string, ranks: number): Row | undefined =>
    rows.find((row) => row.exchange === exchange && row.ranks === ranks);
  const table = rows
    .filter(({ exchange }) => exchange === 'allgather')
    .map(({ ranks, messages, bytes, timeUs }) => {
      const direct = of(DIRECT, ranks);
      const maximum = of('maximum', ranks);
      const beats = of('heartbeats per period', ranks);
      const cells = [
        ranks,
        messages,
        bytes,
        timeUs.toFixed(0),
        direct?.messages ?? '',
        direct?.timeUs.toFixed(0) ?? '',
        maximum?.messages ?? '',
        maximum?.timeUs.toFixed(0) ?? '',
        beats?.messages ?? '',
        beats?.bytes ?? '',
      ];
      return `| ${cells.join(' | ')} |`;
    });
  return [
    '<!-- Generated by `npm run generate`; a test holds it equal to the code. -->',
    HEAD,
    '| ranks | allgather: messages | bytes | us | each tells each: messages | us | maximum: messages | us | heartbeats per period: messages | bytes |',
    '| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...table,
    MEMORY,
    ...memoryTable(),
    REAL,
    ...realTable(),
    AFTER_REAL,
  ].join('\n');
}
