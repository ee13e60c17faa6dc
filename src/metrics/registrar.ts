// How a metric is made: one prefix, a sentence of help, and all its series at 0 from the start, so that a rate over
// the first failure is not lost. It doesn't know what is measured.
import {
  Counter,
  Gauge,
  Histogram,
  type Metric,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from "prom-client";

/** Every label with all the values it can have. None is a call, a number or an account. */
export type LabelValues<Label extends string> = Readonly<Record<Label, readonly string[]>>;

export class Registrar {
  readonly registry = new Registry();

  counter<Label extends string = never>(
    name: string,
    help: string,
    labels?: LabelValues<Label>,
  ): Counter<Label> {
    const labelNames = Object.keys(labels ?? {}) as Label[];
    const counter = new Counter<Label>({ ...this.#own(name, help), labelNames });
    for (const cell of combinations(labels)) counter.inc(cell, 0);
    return counter;
  }

  histogram<Label extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: LabelValues<Label>,
  ): Histogram<Label> {
    const labelNames = Object.keys(labels ?? {}) as Label[];
    const histogram = new Histogram<Label>({ ...this.#own(name, help), labelNames, buckets: [...buckets] });
    for (const cell of combinations(labels)) histogram.zero(cell);
    return histogram;
  }

  /** One whose value is read when someone asks. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      ...this.#own(name, help),
      collect() {
        this.set(read());
      },
    });
  }

  /** A metric whose values are somebody else's memory. */
  view(
    suffix: string,
    help: string,
    type: "counter" | "gauge" | "histogram",
    read: (name: string) => MetricValue<string>[],
  ): void {
    const { name } = this.#own(suffix, help);
    const get = async () =>
      ({ name, help, type, aggregator: "sum", values: read(name) }) as unknown as MetricObjectWithValues<
        MetricValue<string>
      >;
    this.registry.registerMetric({ name, get, reset() {} } as unknown as Metric);
  }

  #own(name: string, help: string) {
    return { name: `linecard_${name}`, help, registers: [this.registry] };
  }
}

/** One value of a view. */
export function cell(
  metricName: string,
  value: number,
  labels: Record<string, string | number>,
): MetricValue<string> {
  return { metricName, value, labels } as MetricValue<string>;
}

function combinations<Label extends string>(labels: LabelValues<Label> | undefined): Record<Label, string>[] {
  let cells: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries<readonly string[]>(labels ?? {}))
    cells = cells.flatMap((each) => values.map((value) => ({ ...each, [label]: value })));
  return cells as Record<Label, string>[];
}
