/** The charts: latency over time and as a histogram, and the lengths of the queues. */
import { Component, type ComponentChildren } from 'preact';
import { countOf, formatSize, shortCount } from '../format/size.js';
import { formatDuration, roundDuration, shortTime } from '../format/time.js';
import type { Inspector } from '../session/inspector.js';
import type { View } from '../session/view.js';
import type { LatencyStatistics } from '../statistics/latency.js';
import { boundOf, CLASSES, PER_DECADE } from '../statistics/log-histogram.js';
import type { QueuesOverTime } from '../statistics/queue-history.js';
import { Chart, type Fact } from './chart.js';
import type { Plot } from './plot.js';
import { fromZero, logarithmic, type Scale, timeScale } from './scale.js';

/** Charts are drawn at most that often. */
const INTERVAL_MS = 400;
const TIME_SPLITS = 4;
const SIZE_SPLITS = 3;
const MIN_QUEUE = 1024;

interface Plots {
  latency: Plot;
  distribution: Plot;
  queues: Plot;
}

interface Props {
  inspector: Inspector;
}

export class Charts extends Component<Props> {
  #plots: Plots | undefined;
  #view: View | undefined;
  #drawn = 0;

  override render(): ComponentChildren {
    const { shown } = this.props.inspector;
    const { latency, session } = shown;
    const now = performance.now();
    if (this.#plots === undefined || this.#view !== shown || now - this.#drawn >= INTERVAL_MS) {
      const queues = session.queues.overTime(shown.chosen.size === 0 ? undefined : shown.chosen);
      this.#plots = {
        latency: latencyPlot(latency),
        distribution: distributionPlot(latency.counts),
        queues: queuePlot(queues),
      };
      this.#view = shown;
      this.#drawn = now;
    }
    const plots = this.#plots;
    return (
      <section class="charts" aria-label="Charts">
        <Chart title="Latency" summary={latencySummary(latency)} plot={plots.latency} />
        <Chart title="Distribution" summary={distributionSummary(latency)} plot={plots.distribution} />
        <Chart title="Queues" summary={queueSummary(plots.queues)} plot={plots.queues} />
      </section>
    );
  }
}

function latencySummary(latency: LatencyStatistics): Fact[] {
  if (latency.total === 0) return [{ name: '', value: 'no answers yet' }];
  return [
    { name: 'median', value: formatDuration(latency.percentile(0.5)), color: 'to-client' },
    { name: '99 %', value: formatDuration(latency.percentile(0.99)), color: 'accent' },
    { name: 'max', value: formatDuration(latency.max), color: 'warning' },
  ];
}

function distributionSummary({ total }: LatencyStatistics): Fact[] {
  return [{ name: '', value: countOf(total, 'answer') }];
}

function latencyPlot(latency: LatencyStatistics): Plot {
  const { times, medians, p99s, maxima } = latency.overTime();
  const min = Math.max(1, Math.min(...medians));
  return {
    xs: times,
    x: { scale: timesOf(times), format: shortTime },
    y: {
      scale: times.length === 0 ? logarithmic(10, 10_000) : logarithmic(min, Math.max(...maxima)),
      format: formatDurationOf,
    },
    series: [
      { name: 'max', color: 'warning', values: maxima, isDashed: true },
      { name: '99 %', color: 'accent', values: p99s },
      { name: 'median', color: 'to-client', values: medians },
    ],
  };
}

/** Round for the axis, and exact at the pointer. */
function formatDurationOf(value: number): string {
  return Math.abs(Math.log10(value) % 1) < 1e-9 ? roundDuration(value) : formatDuration(value);
}

function timesOf(times: readonly number[]): Scale {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return { min: 0, max: 1, splits: [] };
  return timeScale(first, Math.max(last, first + 1), TIME_SPLITS);
}

/** The classes from the first to the last that occur. */
function distributionPlot(counts: Uint32Array): Plot {
  let first = 0;
  let last = CLASSES - 1;
  while (first < last && counts[first] === 0) first++;
  while (last > first && counts[last] === 0) last--;
  const isEmpty = counts[last] === 0;
  first = isEmpty ? PER_DECADE : Math.max(0, first - 3);
  last = isEmpty ? 4 * PER_DECADE : Math.min(CLASSES - 1, last + 3);
  const classes = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const values = classes.map((each) => counts[each]!);
  return {
    xs: classes,
    x: {
      scale: { min: first - 0.5, max: last + 0.5, splits: boundsBetween(first, last) },
      format: (each) => roundDuration(boundOf(each)),
    },
    y: { scale: fromZero(Math.max(1, ...values), 3, 10), format: shortCount },
    series: [{ name: 'answers', color: 'accent', values, isBars: true }],
  };
}

/** The classes of 1, 2, 5, 10, … or of powers of ten, if there are many. */
function boundsBetween(min: number, max: number): number[] {
  const steps = max - min > 2.5 * PER_DECADE ? [1] : max - min > PER_DECADE ? [1, 3] : [1, 2, 5];
  const splits: number[] = [];
  for (let decade = Math.floor(min / PER_DECADE); decade * PER_DECADE <= max; decade++) {
    for (const step of steps) {
      const at = (decade + Math.log10(step)) * PER_DECADE;
      if (at >= min && at <= max) splits.push(at);
    }
  }
  return splits;
}

function queuePlot({ times, clients, servers }: QueuesOverTime): Plot {
  return {
    xs: times,
    x: { scale: timesOf(times), format: shortTime },
    y: {
      scale: fromZero(Math.max(MIN_QUEUE, ...clients, ...servers), SIZE_SPLITS, 2),
      format: (size) => formatSize(size).replace('.0 ', ' '),
    },
    series: [
      { name: 'at servers', color: 'to-server', values: servers },
      { name: 'at clients', color: 'to-client', values: clients },
    ],
  };
}

function queueSummary({ xs, series }: Plot): Fact[] {
  if (xs.length === 0) return [{ name: '', value: 'not measured' }];
  return series.map(({ name, color, values }) => ({
    name,
    value: formatSize(values[xs.length - 1]!),
    color,
  }));
}
