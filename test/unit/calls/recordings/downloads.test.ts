// Many downloads at once, and those that come to nothing: no file stays open that nobody reads.
import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { downloadOperations } from "../../../../src/calls/recordings/downloadOperations.ts";
import { RecordingsFolder } from "../../../../src/calls/recordings/folder.ts";
import { RunLinks } from "../../../../src/calls/recordings/links.ts";
import { systemClock } from "../../../../src/domain/clock.ts";
import { RunId } from "../../../../src/domain/ids.ts";
import { recordingName } from "../../../../src/domain/recordingFile.ts";
import { type HttpResponse, isSource } from "../../../../src/http/http.ts";
import { routesOf } from "../../../../src/http/operation.ts";
import { createRouter } from "../../../../src/http/router.ts";
import { PartFile } from "../../../../src/media/recording/partFile.ts";
import { storedRun } from "../log/storedRuns.ts";

const DOWNLOADS = 32;
const OBSERVER = {
  recordingsTended: () => {},
  recordingsUntended: (error: unknown) => assert.fail(`${error}`),
};

async function downloads(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), "linecard-downloads-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  const recordingFile = recordingName(RunId(1), systemClock.wallMs(), 1);
  const file = new PartFile(path, [recordingFile], false);
  await file.open();
  await file.writeAt(0, new Uint8Array(4_000));
  await file.finish(1_000);
  const links = new RunLinks(createSecretKey(randomBytes(32)));
  const record = storedRun(1, { recordingFile });
  const operations = downloadOperations({
    store: { records: { get: async () => undefined } as never },
    records: { get: (run) => (run === record.run ? record : undefined) },
    folder: await RecordingsFolder.find(path, systemClock, OBSERVER),
    links,
    clock: systemClock,
  });
  const errors: unknown[] = [];
  const routes = routesOf(operations, () => undefined);
  const router = createRouter(routes, { pathPrefix: "", onError: (error) => errors.push(error) });
  const token = links.token(record.run, systemClock.wallMs());
  return {
    path,
    file: join(path, recordingFile),
    errors,
    async ask(artifact: string, headers: Readonly<Record<string, string>> = {}): Promise<HttpResponse> {
      return router.handle({
        method: "GET",
        path: `/api/v1/public/download/workflow/${token}/${artifact}`,
        query: undefined,
        headers: new Map(Object.entries(headers)),
        body: new Uint8Array(0),
      });
    },
  };
}

function close({ body = "" }: HttpResponse): Promise<void> {
  assert.ok(isSource(body));
  return body.close();
}

/** Files of this process that are open. */
function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("downloads", () => {
  it("are bounded, and each that is over makes room for another", async (t) => {
    const { ask, errors } = await downloads(t);
    const open = await Promise.all(Array.from({ length: DOWNLOADS }, () => ask("recording")));
    assert.deepEqual(new Set(open.map(({ status }) => status)), new Set([200]));
    const refused = await ask("bot_recording");
    assert.deepEqual([refused.status, refused.headers?.["Retry-After"]], [429, "5"]);
    await close(open.pop()!);
    const next = await ask("bot_recording");
    assert.equal(next.status, 200);
    await Promise.all([...open, next].map(close));
    assert.deepEqual(errors, []);
  });

  it("that come to nothing leave nothing open, however many they are", async (t) => {
    const { ask, file, errors } = await downloads(t);
    await close(await ask("recording"));
    const before = openFiles();
    for (let n = 0; n < 2 * DOWNLOADS; n++) {
      assert.equal((await ask("recording", { range: "bytes=9999999-" })).status, 416);
      assert.equal(openFiles(), before); // now: later they would have been closed as garbage
      assert.equal((await ask("transcript")).status, 404);
    }
    rmSync(file);
    for (let n = 0; n < 2 * DOWNLOADS; n++) assert.equal((await ask("recording")).status, 404);
    assert.equal(openFiles(), before);
    assert.deepEqual(errors, []);
  });
});
