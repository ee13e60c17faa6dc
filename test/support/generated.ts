// The committed files that are made from code, and how each is made.
import { fileURLToPath } from "node:url";
import { dashboards } from "../../grafana/source/dashboards.ts";
import { metricsPage } from "./metricsPage.ts";

export interface Generated {
  /** From the repository's root. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** All of them, as they should be. */
export async function generated(): Promise<readonly Generated[]> {
  const files: [name: string, text: string][] = [
    ["docs/metrics.md", await metricsPage()],
    ...dashboards().map(({ name, json }): [string, string] => [`grafana/dashboards/${name}.json`, json]),
  ];
  return files.map(([name, text]) => ({
    name,
    path: fileURLToPath(new URL(`../../${name}`, import.meta.url)),
    text,
  }));
}
