import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { generated } from "../support/generated.ts";

const files = await generated();

describe("what is made from code", () => {
  for (const { name, path, text } of files) {
    // Elsewhere than on Linux some metrics of the process are missing.
    const skip = name === "docs/metrics.md" && process.platform !== "linux";
    it(`${name} is as the code says`, { skip }, () => {
      assert.equal(readFileSync(path, "utf8"), text, "run `npm run generate` and commit what it changes");
    });
  }

  it("is every dashboard that is there", () => {
    const committed = readdirSync(new URL("../../grafana/dashboards", import.meta.url));
    const made = files.map(({ name }) => name).filter((name) => name.startsWith("grafana/dashboards/"));
    assert.deepEqual(committed.sort(), made.map((name) => name.slice(19)).sort());
  });
});
