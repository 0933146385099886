/** A chart with a title. The values at the pointer stand beside it. */
import { Component, type ComponentChildren, createRef } from 'preact';
import { Area, drawPlot, type Plot } from './plot.js';

/** A value, in the color of its line. */
export interface Fact {
  name: string;
  value: string;
  color?: string;
}

interface Props {
  title: string;
  /** What stands beside the title. */
  summary: Fact[];
  plot: Plot;
}

export class Chart extends Component<Props> {
  readonly #canvas = createRef<HTMLCanvasElement>();
  readonly #observer = new ResizeObserver(() => this.#draw());
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)');
  /** Where the pointer is; -1 if it is elsewhere. */
  #pointer = -1;

  override componentDidMount(): void {
    this.#observer.observe(this.#canvas.current!);
    this.#scheme.addEventListener('change', this.#draw);
  }

  override componentWillUnmount(): void {
    this.#observer.disconnect();
    this.#scheme.removeEventListener('change', this.#draw);
  }

  override componentDidUpdate(): void {
    this.#draw();
  }

  override render(): ComponentChildren {
    const { title, summary, plot } = this.props;
    const pointed = this.#pointed;
    const summaryText = summary.map(({ name, value }) => `${name} ${value}`.trim()).join(', ');
    return (
      <figure class="chart">
        <figcaption>
          <h2>{title}</h2>
          <Facts facts={pointed < 0 ? summary : factsAt(plot, pointed)} />
        </figcaption>
        <div class="chart-frame">
          <canvas
            ref={this.#canvas}
            role="img"
            aria-label={`${title}: ${summaryText}`}
            onPointerMove={(event) => {
              this.#pointer = event.offsetX;
              this.forceUpdate();
            }}
            onPointerLeave={() => {
              this.#pointer = -1;
              this.forceUpdate();
            }}
          />
        </div>
      </figure>
    );
  }

  get #pointed(): number {
    const canvas = this.#canvas.current;
    if (canvas === null || this.#pointer < 0) return -1;
    return new Area(this.props.plot, canvas.clientWidth, canvas.clientHeight).nearest(this.#pointer);
  }

  readonly #draw = (): void => {
    const canvas = this.#canvas.current;
    const context = canvas?.getContext('2d');
    if (canvas === null || context === null || context === undefined || canvas.clientWidth === 0) return;
    const ratio = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const color = (name: string) => style.getPropertyValue(`--${name}`);
    drawPlot(context, new Area(this.props.plot, width, height), color, this.#pointed);
  };
}

function Facts({ facts }: { facts: Fact[] }): ComponentChildren {
  return (
    <span class="chart-facts">
      {facts.map(({ name, value, color = 'muted' }) => (
        <span key={name} class={`legend-${color}`}>
          {name} {value}
        </span>
      ))}
    </span>
  );
}

function factsAt({ xs, x, y, series }: Plot, index: number): Fact[] {
  return [
    { name: '', value: x.format(xs[index]!) },
    ...series.map(({ name, color, values }) => ({ name, color, value: y.format(values[index]!) })),
  ];
}
