/** A chart with a title. The values at the pointer stand beside it. */
import { Component, type ComponentChildren, createRef } from 'preact';
import { Area, drawPlot, type Plot } from './plot.js';

interface Props {
  title: string;
  /** The same as one sentence. */
  summary: string;
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
    return (
      <figure class="chart">
        <figcaption>
          <h2>{title}</h2>
          {pointed < 0 ? (
            <span class="chart-summary muted">{summary}</span>
          ) : (
            <PointedValues plot={plot} index={pointed} />
          )}
        </figcaption>
        <div class="chart-frame">
          <canvas
            ref={this.#canvas}
            role="img"
            aria-label={`${title}: ${summary}`}
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

function PointedValues({ plot, index }: { plot: Plot; index: number }): ComponentChildren {
  return (
    <span class="pointed">
      {plot.x.format(plot.xs[index]!)}
      {plot.series.map(({ name, color, values }) => (
        <span key={name} class={`legend legend-${color}`}>
          {name} {plot.y.format(values[index]!)}
        </span>
      ))}
    </span>
  );
}
