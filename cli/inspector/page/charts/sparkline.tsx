/** A small line: how many messages a connection had in each interval. */
import { Component, type ComponentChildren, createRef } from 'preact';
import type { Rate } from '../statistics/rate.js';

const WIDTH = 72;
const HEIGHT = 18;

interface Props {
  rate: Rate;
  /** Microseconds since 1970. */
  now: number;
  isLive: boolean;
}

export class Sparkline extends Component<Props> {
  readonly #canvas = createRef<HTMLCanvasElement>();

  override componentDidMount(): void {
    this.#draw();
  }

  override componentDidUpdate(): void {
    this.#draw();
  }

  override render(): ComponentChildren {
    const label = this.props.isLive ? 'Messages in the last minute' : 'Messages over time';
    return <canvas ref={this.#canvas} class="sparkline" role="img" aria-label={label} />;
  }

  #draw(): void {
    const canvas = this.#canvas.current;
    const context = canvas?.getContext('2d');
    if (canvas === null || context === null || context === undefined) return;
    const ratio = devicePixelRatio;
    canvas.width = WIDTH * ratio;
    canvas.height = HEIGHT * ratio;
    const counts = this.props.rate.counts(this.props.now);
    const max = Math.max(1, ...counts);
    context.scale(ratio, ratio);
    context.beginPath();
    for (const [index, count] of counts.entries()) {
      const x = (index / (counts.length - 1)) * WIDTH;
      const y = HEIGHT - 1.5 - (count / max) * (HEIGHT - 3);
      if (index === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    }
    const color = getComputedStyle(canvas).color;
    context.strokeStyle = color;
    context.lineWidth = 1.25;
    context.lineJoin = 'round';
    context.stroke();
    context.lineTo(WIDTH, HEIGHT);
    context.lineTo(0, HEIGHT);
    context.globalAlpha = 0.15;
    context.fillStyle = color;
    context.fill();
  }
}
