// Results as one SVG picture: delay and processor time over the number of calls. Drawn here, readable on light and dark
// pages. Pure.
import { type Cell, cpuMs, type Figures, P99_MAX_MS } from "./cells.ts";

const WIDTH = 760;
const PANEL_HEIGHT = 250;
const LEFT = 60;
const RIGHT = 20;
const LEGEND_LINE = 20;
const LEGEND_COLUMNS = 2;
const TITLE_HEIGHT = 40;
const AXIS_HEIGHT = 40;
/** Told apart by those who see few colours as well, on white and on black. */
const COLOURS = ["#d1495b", "#6c7a89", "#2e86ab", "#e09f3e", "#8e6bbf", "#3a9d5d", "#a9743f"];
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-size: 14px; font-weight: 600 }
  .axis { stroke: #8888 } .grid { stroke: #8883 } .limit { stroke: #c33; stroke-dasharray: 5 4 }
  polyline { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } }
`;

interface Panel {
  readonly title: string;
  readonly figure: (figures: Figures) => number;
  /** Where a value stands between bottom (0) and top (1), and the values that lines are drawn at. */
  readonly height: (value: number) => number;
  readonly grid: readonly number[];
  readonly limit?: number;
}

/** The picture; `titles` say who is drawn, in which order. */
export function chart(cells: readonly Cell[], titles: ReadonlyMap<string, string>): string {
  const drawn = [...titles].filter(([name]) => pointsOf(cells, name, () => 0).length > 0);
  const measured = cells.flatMap(({ figures }) => figures ?? []);
  const mostCalls = Math.max(1, ...cells.map(({ calls }) => calls));
  const legendHeight = Math.ceil(drawn.length / LEGEND_COLUMNS) * LEGEND_LINE;
  const panels = [delayPanel(), cpuPanel(Math.max(1, ...measured.map(cpuMs)))];
  const panelTop = (index: number) =>
    legendHeight + TITLE_HEIGHT + index * (PANEL_HEIGHT + AXIS_HEIGHT + TITLE_HEIGHT);
  const height = panelTop(panels.length) - TITLE_HEIGHT;
  const series = drawn.map(([name, title], index) => ({
    name,
    title,
    colour: COLOURS[index % COLOURS.length]!,
  }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Delay and processor time over the number of calls">`,
    `<style>${STYLE}</style>`,
    ...series.map(legendEntry),
    ...panels.flatMap((panel, index) => drawPanel(panel, panelTop(index), cells, series, mostCalls)),
    "</svg>\n",
  ].join("\n");
}

interface Series {
  readonly name: string;
  readonly title: string;
  readonly colour: string;
}

function delayPanel(): Panel {
  const [lowest, highest] = [0.1, 1_000];
  const height = (ms: number) => Math.min(1, Math.max(0, Math.log(ms / lowest) / Math.log(highest / lowest)));
  const title = "Round trip, 99th percentile, in ms";
  return { title, figure: ({ p99Ms }) => p99Ms, height, grid: [0.1, 1, 10, 100, 1_000], limit: P99_MAX_MS };
}

function cpuPanel(most: number): Panel {
  const step = roundStep(most / 5);
  const top = Math.ceil(most / step) * step;
  const grid = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  const title = "Processor time for each second of a call, in ms";
  return { title, figure: cpuMs, height: (ms) => ms / top, grid };
}

/** The next of 1, 2, 5, 10, … in any power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least * 0.999)!;
}

function drawPanel(
  panel: Panel,
  top: number,
  cells: readonly Cell[],
  series: readonly Series[],
  mostCalls: number,
): string[] {
  const x = (calls: number) => round(LEFT + ((WIDTH - LEFT - RIGHT) * calls) / mostCalls);
  const y = (value: number) => round(top + PANEL_HEIGHT * (1 - panel.height(value)));
  const step = roundStep(mostCalls / 6);
  const ticks = Array.from({ length: Math.floor(mostCalls / step) + 1 }, (_, i) => i * step);
  return [
    text(LEFT, top - 14, panel.title, "title"),
    ...panel.grid.flatMap((value) => [
      line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"),
      text(LEFT - 8, y(value) + 4, String(round(value)), undefined, "end"),
    ]),
    ...ticks.map((calls) => text(x(calls), top + PANEL_HEIGHT + 18, String(calls), undefined, "middle")),
    text(WIDTH - RIGHT, top + PANEL_HEIGHT + 34, "calls", undefined, "end"),
    line(LEFT, top + PANEL_HEIGHT, WIDTH - RIGHT, top + PANEL_HEIGHT, "axis"),
    ...(panel.limit === undefined
      ? []
      : [line(LEFT, y(panel.limit), WIDTH - RIGHT, y(panel.limit), "limit")]),
    ...series.flatMap(({ name, colour }) => {
      const points = pointsOf(cells, name, panel.figure).map(([calls, value]) => [x(calls), y(value)]);
      return [
        `<polyline stroke="${colour}" points="${points.map((point) => point.join()).join(" ")}"/>`,
        ...points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`),
      ];
    }),
  ];
}

function pointsOf(cells: readonly Cell[], name: string, figure: Panel["figure"]): [number, number][] {
  return cells.flatMap(({ contender, calls, figures }): [number, number][] =>
    contender === name && figures !== null ? [[calls, figure(figures)]] : [],
  );
}

function legendEntry({ title, colour }: Series, index: number): string {
  const x = LEFT + (index % LEGEND_COLUMNS) * ((WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS);
  const y = 14 + Math.floor(index / LEGEND_COLUMNS) * LEGEND_LINE;
  return `<circle cx="${x}" cy="${y - 4}" r="5" fill="${colour}"/>${text(x + 12, y, title)}`;
}

function text(x: number, y: number, words: string, style?: string, anchor?: "middle" | "end"): string {
  const attributes = `${style === undefined ? "" : ` class="${style}"`}${anchor === undefined ? "" : ` text-anchor="${anchor}"`}`;
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escaped(words)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${style}"/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
