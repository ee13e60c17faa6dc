// How Linecard's panels look, and the one dashboard they are laid out on.

import * as common from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as HeatmapBuilder, YAxisConfigBuilder } from "@grafana/grafana-foundation-sdk/heatmap";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { quantile } from "./queries.ts";

const DATASOURCE = { type: "prometheus", uid: "$datasource" };
const WIDTH = 24;
const STAT_HEIGHT = 4;
const GRAPH_HEIGHT = 8;

/** A query and what its series are called, with `{{label}}` for a label's value. */
export type Series = readonly [legend: string, query: string];

export interface Look {
  /** What someone on call reads: what is shown, what is normal, what to do about it. */
  readonly description: string;
  /** Grafana's name of it: `s`, `percentunit`, `cpm` (a minute), `bytes`. */
  readonly unit: string;
  /** From here on it is worth a look, and from here on it is bad. */
  readonly warnAt?: number;
  readonly badAt?: number;
  readonly max?: number;
  readonly isStacked?: boolean;
  readonly mappings?: readonly ValueMapping[];
  /** Of the row's width, in 24ths. */
  readonly width?: number;
}

/** A panel, made when its place is known. */
export type MakePanel = TimeseriesBuilder | StatBuilder | HeatmapBuilder;

export interface Row {
  readonly title: string;
  readonly panels: readonly MakePanel[];
}

/** Lines over time. */
export function graph(title: string, look: Look, ...series: readonly Series[]): TimeseriesBuilder {
  const panel = new TimeseriesBuilder()
    .title(title)
    .description(look.description)
    .datasource(DATASOURCE)
    .unit(look.unit)
    .min(0)
    .span(look.width ?? 8)
    .height(GRAPH_HEIGHT)
    .lineWidth(1)
    .fillOpacity(look.isStacked === true ? 30 : 5)
    .showPoints(common.VisibilityMode.Never)
    .targets(targets(series, false))
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    )
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom),
    )
    .thresholds(thresholds(look));
  if (look.max !== undefined) panel.max(look.max);
  if (look.isStacked === true)
    panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  if (look.warnAt !== undefined || look.badAt !== undefined)
    panel.thresholdsStyle(
      new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed),
    );
  return panel;
}

/** The median, and what one in twenty and one in a hundred exceed. */
export function quantiles(title: string, look: Omit<Look, "unit">, name: string): TimeseriesBuilder {
  return graph(
    title,
    { ...look, unit: "s" },
    ["p50", quantile(0.5, name)],
    ["p95", quantile(0.95, name)],
    ["p99", quantile(0.99, name)],
  );
}

/** One number, as it is now. */
export function stat(title: string, look: Look, query: string): StatBuilder {
  const panel = new StatBuilder()
    .title(title)
    .description(look.description)
    .datasource(DATASOURCE)
    .unit(look.unit)
    .span(look.width ?? 4)
    .height(STAT_HEIGHT)
    .targets(targets([["", query]], true))
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .graphMode(common.BigValueGraphMode.None)
    .colorMode(common.BigValueColorMode.Value)
    .noValue("–")
    .thresholds(thresholds(look));
  if (look.mappings !== undefined) panel.mappings([...look.mappings]);
  return panel;
}

/** A histogram's buckets over time. */
export function heatmap(title: string, look: Look, query: string): HeatmapBuilder {
  return new HeatmapBuilder()
    .title(title)
    .description(look.description)
    .datasource(DATASOURCE)
    .span(look.width ?? 8)
    .height(GRAPH_HEIGHT)
    .calculate(false)
    .yAxis(new YAxisConfigBuilder().unit(look.unit))
    .targets([target("{{le}}", query, false).format(PromQueryFormat.Heatmap)]);
}

/** The committed JSON of a dashboard. */
export function dashboard(uid: string, title: string, description: string, rows: readonly Row[]): string {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(["linecard"])
    .time({ from: "now-1h", to: "now" })
    .refresh("10s")
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder("Linecard")
        .type(DashboardLinkType.Dashboards)
        .tags(["linecard"])
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(
      new QueryVariableBuilder("instance")
        .label("Gateway")
        .datasource(DATASOURCE)
        .query("label_values(linecard_calls_live, instance)")
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue(".*")
        .current({ text: "All", value: "$__all" }),
    );
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  return `${JSON.stringify(numbered(builder.build()), null, 2)}\n`;
}

/** Grafana gives ids to panels that have none, and then calls a dashboard changed that nobody has touched. */
function numbered(built: Dashboard): Dashboard {
  const panels = (built.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 }) as Panel);
  for (const { gridPos } of panels)
    if (gridPos !== undefined && gridPos.x + gridPos.w > WIDTH) throw new Error("a panel sticks out");
  return { ...built, panels };
}

function targets(series: readonly Series[], isInstant: boolean): DataqueryBuilder[] {
  return series.map(([legend, query], index) =>
    target(legend, query, isInstant).refId(String.fromCharCode(65 + index)),
  );
}

function target(legend: string, query: string, isInstant: boolean): DataqueryBuilder {
  const made = new DataqueryBuilder().refId("A").expr(query).legendFormat(legend);
  return isInstant ? made.instant() : made.range();
}

function thresholds({ warnAt, badAt }: Look): ThresholdsConfigBuilder {
  const steps: Threshold[] = [{ value: null, color: "green" }];
  if (warnAt !== undefined) steps.push({ value: warnAt, color: "orange" });
  if (badAt !== undefined) steps.push({ value: badAt, color: "red" });
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}
