/** Draws lines or bars with axes on a canvas. */
import { type Scale, shareOf } from './scale.js';

export interface Axis {
  scale: Scale;
  format: (value: number) => string;
}

export interface PlotSeries {
  name: string;
  /** The name of a color in the style sheet. */
  color: string;
  /** One for each x. */
  values: ArrayLike<number>;
  isBars?: boolean;
  isDashed?: boolean;
}

export interface Plot {
  /** Ascending. */
  xs: ArrayLike<number>;
  x: Axis;
  y: Axis;
  series: PlotSeries[];
}

const LEFT = 56;
const RIGHT = 14;
const TOP = 8;
const BOTTOM = 20;
const GAP = 6;

/** Where values are, in pixels. */
export class Area {
  constructor(
    readonly plot: Plot,
    readonly width: number,
    readonly height: number,
  ) {}

  x(value: number): number {
    return LEFT + shareOf(this.plot.x.scale, value) * (this.width - LEFT - RIGHT);
  }

  y(value: number): number {
    return this.height - BOTTOM - shareOf(this.plot.y.scale, value) * (this.height - TOP - BOTTOM);
  }

  /** The index of the x that is nearest to a place; -1 without any. */
  nearest(place: number): number {
    const { xs } = this.plot;
    let best = -1;
    for (let index = 0; index < xs.length; index++)
      if (best < 0 || Math.abs(this.x(xs[index]!) - place) < Math.abs(this.x(xs[best]!) - place))
        best = index;
    return best;
  }
}

/**
 * @param color the value of a color of the style sheet
 * @param pointed the index of the x that is pointed at; -1 for none
 */
export function drawPlot(
  context: CanvasRenderingContext2D,
  area: Area,
  color: (name: string) => string,
  pointed: number,
): void {
  context.clearRect(0, 0, area.width, area.height);
  drawAxes(context, area, color);
  for (const series of area.plot.series) {
    context.strokeStyle = color(series.color);
    context.fillStyle = color(series.color);
    if (series.isBars) drawBars(context, area, series, pointed);
    else drawLine(context, area, series, pointed);
  }
}

function drawAxes(context: CanvasRenderingContext2D, area: Area, color: (name: string) => string): void {
  const { x, y } = area.plot;
  const bottom = area.height - BOTTOM;
  context.font = '11px system-ui, sans-serif';
  context.fillStyle = color('muted');
  context.strokeStyle = color('grid');
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.beginPath();
  for (const value of y.scale.splits) {
    const at = Math.round(area.y(value)) + 0.5;
    context.moveTo(LEFT, at);
    context.lineTo(area.width - RIGHT, at);
    context.fillText(y.format(value), LEFT - GAP, at);
  }
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (const value of x.scale.splits) {
    const at = Math.round(area.x(value)) + 0.5;
    context.moveTo(at, TOP);
    context.lineTo(at, bottom);
    const text = x.format(value);
    const half = context.measureText(text).width / 2;
    context.fillText(text, Math.max(half, Math.min(at, area.width - half)), bottom + GAP);
  }
  context.stroke();
}

function drawLine(context: CanvasRenderingContext2D, area: Area, series: PlotSeries, pointed: number): void {
  const { xs } = area.plot;
  context.lineWidth = 1.5;
  context.lineJoin = 'round';
  context.setLineDash(series.isDashed ? [2, 3] : []);
  context.beginPath();
  for (let index = 0; index < xs.length; index++)
    context.lineTo(area.x(xs[index]!), area.y(series.values[index]!));
  context.stroke();
  context.setLineDash([]);
  // A line needs two points.
  const point = xs.length === 1 ? 0 : pointed;
  if (point < 0 || point >= xs.length) return;
  context.beginPath();
  context.arc(area.x(xs[point]!), area.y(series.values[point]!), 3, 0, 2 * Math.PI);
  context.fill();
}

function drawBars(context: CanvasRenderingContext2D, area: Area, series: PlotSeries, pointed: number): void {
  const { xs } = area.plot;
  if (xs.length < 2) return;
  const width = Math.max(1, area.x(xs[1]!) - area.x(xs[0]!) - 1);
  for (let index = 0; index < xs.length; index++) {
    const value = series.values[index]!;
    if (value === 0) continue;
    // A single answer among a million stays visible.
    const top = Math.min(area.y(value), area.y(0) - 1);
    context.globalAlpha = index === pointed ? 1 : 0.7;
    context.fillRect(area.x(xs[index]!) - width / 2, top, width, area.y(0) - top);
  }
  context.globalAlpha = 1;
}
