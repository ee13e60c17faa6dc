import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
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
});
