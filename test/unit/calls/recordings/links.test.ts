import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  LINK_MS,
  linksOf,
  NO_LINKS,
  RunLinks,
  withoutToken,
} from "../../../../src/calls/recordings/links.ts";
import { RunId } from "../../../../src/domain/ids.ts";
import { recordingName } from "../../../../src/domain/recordingFile.ts";
import { Vault } from "../../../../src/store/vault.ts";

const SEED = 20_261_127;
const NOW_MS = Date.parse("2026-11-26T12:00:00Z");
const KEY = createSecretKey(randomBytes(32));
const links = new RunLinks(KEY);
const run = RunId(17);

describe("a link's token", () => {
  it("names its run for an hour, fits into a path as it is, and holds no key", () => {
    const token = links.token(run, NOW_MS);
    assert.match(token, /^[\w.-]+$/);
    assert.equal(links.runOf(token, NOW_MS), run);
    assert.equal(links.runOf(token, NOW_MS + LINK_MS - 1), run);
    assert.equal(links.runOf(token, NOW_MS + LINK_MS + 1_000), undefined);
    assert.ok(!token.includes(KEY.export().toString("base64url").slice(0, 10)));
  });

  it("is nobody else's to make: not a changed one, not one of another key, not one of another purpose", (t) => {
    t.diagnostic(`seed ${SEED}`);
    const token = links.token(run, NOW_MS);
    assert.equal(new RunLinks(createSecretKey(randomBytes(32))).runOf(token, NOW_MS), undefined);
    const vault = new Vault(KEY);
    const own = new RunLinks(vault.keyFor("links"));
    assert.equal(own.runOf(new RunLinks(new Vault(KEY).keyFor("links")).token(run, NOW_MS), NOW_MS), run);
    assert.equal(new RunLinks(vault.keyFor("other")).runOf(own.token(run, NOW_MS), NOW_MS), undefined);
    assert.equal(own.runOf(token, NOW_MS), undefined, "the key itself makes none");
    const letters = [..."0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-."];
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...letters), (at, letter) => {
        const changed = token.slice(0, at) + letter + token.slice(at + 1);
        // The last letter of 32 bytes in base64 has two bits that say nothing.
        const isSame = changed === token || at === token.length - 1;
        assert.ok(isSame || links.runOf(changed, NOW_MS) === undefined, changed);
      }),
      { seed: SEED, numRuns: 500 },
    );
    for (const wrong of [
      "",
      ".",
      "..",
      "h.1.",
      `${token}x`,
      ` ${token}`,
      token.toUpperCase(),
      "é".repeat(43),
    ])
      assert.equal(links.runOf(wrong, NOW_MS), undefined, wrong);
  });
});

describe("a path in a log", () => {
  it("has no token in it", () => {
    const path = `/api/v1/public/download/workflow/${links.token(run, NOW_MS)}/recording`;
    assert.equal(withoutToken(path), "/api/v1/public/download/workflow/…/recording");
    assert.equal(withoutToken("/api/v1/workflow/1/runs/2"), "/api/v1/workflow/1/runs/2");
  });
});

describe("a run's links", () => {
  const base = "https://gw.example.com/voice";
  const recordingFile = recordingName(run, NOW_MS, 30);

  it("are there for what is kept, all under the public base and with one token", () => {
    const both = linksOf({ run, recordingFile, hasTranscript: true }, links, base, NOW_MS);
    const token = both.public_access_token!;
    assert.equal(links.runOf(token, NOW_MS), run);
    for (const artifact of ["recording", "user_recording", "bot_recording", "transcript"] as const) {
      const url = `${base}/api/v1/public/download/workflow/${token}/${artifact}`;
      assert.deepEqual([both[`${artifact}_url`], both[`${artifact}_public_url`]], [url, url]);
    }
    const one = linksOf({ run, hasTranscript: true }, links, base, NOW_MS);
    assert.deepEqual([one.recording_url, one.bot_recording_public_url], [null, null]);
    assert.ok(one.transcript_url?.endsWith("/transcript"));
    assert.deepEqual(linksOf({ run }, links, base, NOW_MS), NO_LINKS);
  });

  it("end with the day until which the recording is kept, and lead to no file that isn't one", () => {
    const lastMs = Date.parse("2026-12-26T23:59:59.999Z");
    assert.notEqual(linksOf({ run, recordingFile }, links, base, lastMs).recording_url, null);
    assert.deepEqual(linksOf({ run, recordingFile }, links, base, lastMs + 1), NO_LINKS);
    assert.deepEqual(linksOf({ run, recordingFile: "../linecard.key" }, links, base, NOW_MS), NO_LINKS);
  });
});
