// Prometheus' text exposition format 0.0.4, read strictly: what a scraper might forgive is an error here.
import assert from "node:assert/strict";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const VALUE = /^(?:[+-]Inf|NaN|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** One scrape: every family with HELP and TYPE before its samples, all of them together, none twice. */
export class Scrape {
  readonly families = new Map<string, Family>();
  /** Every sample's name and labels, as they were written. */
  readonly series: readonly string[];

  constructor(text: string) {
    assert(text.endsWith("\n"), "the last line ends too");
    const series: string[] = [];
    let help: { readonly name: string; readonly text: string } | undefined;
    let family: (Family & { samples: Sample[] }) | undefined;
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const comment = COMMENT.exec(line);
      if (comment !== null) {
        const [, kind, name, rest] = comment;
        if (kind === "HELP") {
          help = { name: name!, text: rest! };
          continue;
        }
        assert.equal(help?.name, name, `HELP goes before TYPE: ${line}`);
        assert.match(rest!, /^(counter|gauge|histogram)$/, line);
        assert(!this.families.has(name!), `${name} is there once`);
        family = { name: name!, type: rest as Family["type"], help: help!.text, samples: [] };
        this.families.set(name!, family);
        continue;
      }
      const sample = readSample(line);
      assert(family !== undefined && isOf(family, sample.name), `${line} belongs to the family above it`);
      family.samples.push(sample);
      series.push(line.slice(0, line.lastIndexOf(" ")));
    }
    assert.equal(new Set(series).size, series.length, "no series is there twice");
    this.series = series;
    for (const each of this.families.values()) if (each.type === "histogram") checkHistogram(each);
  }

  /** The one sample with this name and exactly these labels. `name` is without the `linecard_` in front. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels);
    for (const { samples } of this.families.values()) {
      for (const sample of samples) {
        if (sample.name !== `linecard_${name}` || Object.keys(sample.labels).length !== wanted.length)
          continue;
        if (wanted.every(([label, value]) => sample.labels[label] === value)) return sample.value;
      }
    }
    return assert.fail(`there is no linecard_${name}${JSON.stringify(labels)}`);
  }

  /** The sum over all label values of a counter or gauge. */
  total(name: string): number {
    const family = this.families.get(`linecard_${name}`);
    assert(family !== undefined, `there is no linecard_${name}`);
    return family.samples.reduce((sum, { value }) => sum + value, 0);
  }
}

function isOf({ name, type }: Family, sample: string): boolean {
  return type === "histogram" ? /^_(bucket|sum|count)$/.test(sample.slice(name.length)) : sample === name;
}

function readSample(line: string): Sample {
  const parts = SAMPLE.exec(line);
  assert(parts !== null, `no sample: ${line}`);
  const [, name, labels, value] = parts;
  assert.match(value!, VALUE, line);
  return {
    name: name!,
    labels: readLabels(labels ?? "", line),
    value: Number(value!.replace("Inf", "Infinity")),
  };
}

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ""; ) {
    const label = LABEL.exec(rest);
    assert(label !== null, `no label at ${rest}: ${line}`);
    const [whole, name, value] = label;
    assert(!(name! in labels), `${name} is there once: ${line}`);
    labels[name!] = value!.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}

/** Each row of a histogram, one for its labels' every value, is whole. */
function checkHistogram({ name, samples }: Family): void {
  const rows = Map.groupBy(samples, ({ labels: { le, ...own } }) => JSON.stringify(own));
  for (const [labels, row] of rows) checkRow(`${name}${labels}`, name, row);
}

/** Bounds go up to +Inf, counts never go down, and the last is the count. */
function checkRow(title: string, name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => Number(labels.le?.replace("Inf", "Infinity")));
  const counts = buckets.map(({ value }) => value);
  assert.deepEqual(
    bounds,
    [...new Set(bounds)].sort((a, b) => a - b),
    `${title}: bounds go up`,
  );
  assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY, `${title}: ends with +Inf`);
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => a - b),
    `${title}: is cumulative`,
  );
  const of = (suffix: string) => samples.filter((sample) => sample.name === name + suffix);
  assert.deepEqual([of("_sum").length, of("_count").length], [1, 1], `${title}: has a sum and a count`);
  assert.equal(counts.at(-1), of("_count")[0]!.value, `${title}: +Inf is its count`);
}
