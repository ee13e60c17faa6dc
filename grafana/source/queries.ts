// PromQL over Linecard's metrics, so that a panel says what it shows and nothing else. Every query looks at the
// gateways that the dashboard's `instance` variable names.

/** `labels` such as `direction="in"`. */
export function of(name: string, labels = ""): string {
  return `linecard_${name}{${['instance=~"$instance"', labels].filter((part) => part !== "").join(", ")}}`;
}

/** Per second. */
export function rate(name: string, labels = ""): string {
  return `rate(${of(name, labels)}[$__rate_interval])`;
}

/** All gateways together, split `by` these labels. */
export function total(name: string, by = "", labels = ""): string {
  return `sum${by === "" ? "" : ` by (${by})`} (${rate(name, labels)})`;
}

/** How many times a minute, all gateways together, split `by` these labels. */
export function perMinute(name: string, by = "", labels = ""): string {
  return `60 * ${total(name, by, labels)}`;
}

/** Only what happens at all: for labels of many values. */
export function seen(query: string): string {
  return `${query} > 0`;
}

/** Over the dashboard's whole time. */
export function inRange(name: string, labels = ""): string {
  return `sum(increase(${of(name, labels)}[$__range]))`;
}

/** Of a histogram, over all gateways. */
export function quantile(share: number, name: string, by = "", labels = ""): string {
  const split = by === "" ? "le" : `le, ${by}`;
  return `histogram_quantile(${share}, sum by (${split}) (${rate(`${name}_bucket`, labels)}))`;
}
