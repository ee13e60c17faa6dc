// A story's gateway as a client of the API sees it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { ApiClient } from "../../support/api.ts";
import { type Story, type StoryOptions, startStory } from "../../support/gateway.ts";

export interface ApiStory extends Story {
  readonly client: ApiClient;
  /** The gateway's log so far. */
  log(): string;
  /** Everything the database has on disk. */
  bytes(): Buffer;
}

/** Gone when the test is over; then no request may have failed in our own code. */
export async function startApi(t: TestContext, options: StoryOptions = {}): Promise<ApiStory> {
  const lines: string[] = [];
  const env = { MEDIA_WORKERS: "1", ...options.env };
  const story = await startStory({ ...options, env, onLogLine: (line) => lines.push(line) });
  t.after(async () => {
    await story.close();
    assert.deepEqual(
      lines.filter((line) => line.includes("our own code")),
      [],
    );
  });
  const folder = dirname(story.databasePath);
  return {
    ...story,
    client: new ApiClient(story.origin),
    log: () => lines.join(""),
    bytes: () => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name)))),
  };
}
