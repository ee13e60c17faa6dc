import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DIAL_ENDINGS, END_REASONS, REFUSALS } from "../../src/domain/endings.ts";
import { GRAFANA, promtool } from "./prometheus.ts";

const ALERTS = join(GRAFANA, "alerts");

const filesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => join(folder, file));

describe("the alerts", () => {
  it("are rules that Prometheus takes, as is the configuration that names them", async () => {
    await promtool(["check", "rules", ...filesIn(ALERTS)]);
    await promtool(["check", "config", join(GRAFANA, "prometheus.yml")]);
  });

  it("each fire when they should, and keep still when nothing is wrong", async () => {
    await promtool(["test", "rules", ...filesIn(join(ALERTS, "tests"))]);
  });

  it("know which calls were answered: failures are a share of those", () => {
    const rules = readFileSync(join(ALERTS, "linecard.yaml"), "utf8");
    const notAnswered = new RegExp(`^(?:${/reason!~"([^"]+)"/.exec(rules)![1]})$`);
    for (const reason of [...REFUSALS, ...DIAL_ENDINGS]) assert.match(reason, notAnswered);
    for (const reason of END_REASONS) assert.doesNotMatch(reason, notAnswered);
  });
});
