// Prometheus itself, as Debian packages it: its checking tool, and a server of its own for one gateway, on loopback
// and in a folder that goes with it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../support/until.ts";

/** The repository's folder of dashboards and alerts. */
export const GRAFANA = fileURLToPath(new URL("../../grafana/", import.meta.url));

const MISSING = "Prometheus is not installed: apt-get install --no-install-recommends prometheus";

/** What `promtool` says, when it is content. */
export async function promtool(args: readonly string[], input = ""): Promise<string> {
  const tool = spawn("promtool", args, { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  for (const stream of [tool.stdout, tool.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  const status = await new Promise<number | null>((resolve, reject) => {
    tool.on("error", (error) => reject(new Error(MISSING, { cause: error })));
    tool.on("close", resolve);
    tool.stdin.end(input);
  });
  assert.equal(status, 0, said);
  return said;
}

/** A sample of a query's answer. */
export interface Sampled {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atS: number, value: string];
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly health: string;
}

/** A server that scrapes one gateway every second, with our alerts. Ended for you when the test file is done. */
export class PrometheusServer {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async start(target: string): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), "linecard-prometheus-"));
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [join(GRAFANA, "alerts/*.yaml")],
      scrape_configs: [{ job_name: "linecard", static_configs: [{ targets: [target] }] }],
    };
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config)); // JSON is YAML
    const address = `127.0.0.1:${await freePort()}`;
    const server = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "series")}`,
        `--web.listen-address=${address}`,
        "--log.level=warn",
      ],
      { stdio: "ignore" },
    );
    after(async () => {
      await ended(server);
      rmSync(folder, { recursive: true, force: true });
    });
    const failed = once(server, "error").then(([error]) =>
      Promise.reject(new Error(MISSING, { cause: error })),
    );
    const up = until("Prometheus to be up", async () => {
      assert.equal(server.exitCode, null, "Prometheus ended at once");
      return await fetch(`http://${address}/-/ready`)
        .then(({ ok }) => ok)
        .catch(() => false);
    });
    await Promise.race([up, failed]);
    return new PrometheusServer(`http://${address}/api/v1`);
  }

  /** The series that a query gives now; fails with Prometheus' own words when it isn't PromQL. */
  async query(query: string): Promise<readonly Sampled[]> {
    const response = await fetch(`${this.#url}/query`, {
      method: "POST",
      body: new URLSearchParams({ query }),
    });
    const { status, data, error } = (await response.json()) as {
      status: string;
      data?: { result: Sampled[] };
      error?: string;
    };
    assert.equal(status, "success", `${query}: ${error}`);
    return data!.result;
  }

  /** The alerts, as it has read them. */
  async alerts(): Promise<readonly Rule[]> {
    const { data } = (await (await fetch(`${this.#url}/rules?type=alert`)).json()) as {
      data: { groups: { rules: Rule[] }[] };
    };
    return data.groups.flatMap(({ rules }) => rules);
  }
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null) return;
  const gone = once(server, "exit");
  server.kill();
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  server.close();
  await once(server, "close");
  return address.port;
}
