import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { it } from "node:test";
import { AccountSid } from "../../../src/domain/ids.ts";
import { loadTwilioRest, TwilioFailure, type TwilioRest } from "../../../src/twilio/rest.ts";
import { ManualClock } from "../../support/manualClock.ts";

const { cache } = createRequire(import.meta.url);

it("loads nothing of the package for the first request of a kind: frames of calls would wait for it", async (t) => {
  const rest = await loadTwilioRest({ clock: new ManualClock(), random: () => 0 });
  t.after(() => rest.close());
  const loaded = Object.keys(cache)
    .filter((file) => file.includes("/twilio/"))
    .sort();
  assert.ok(loaded.length > 0);
  const accountSid = AccountSid(`AC${"1".repeat(32)}`);
  const apiBaseUrl = "http://127.0.0.1:9"; // nobody listens there
  const access = { accountSid, username: accountSid, password: "token", apiBaseUrl };
  const between = { to: "+14155550100", from: "+14155550101", sinceMs: 0 };
  const asked: readonly ((rest: TwilioRest) => Promise<unknown>)[] = [
    () => rest.account(access),
    () => rest.findNumber(access, "+14155550100"),
    () => rest.listNumbers(access),
    () => rest.updateNumber(access, `PN${"1".repeat(32)}`, { voiceUrl: "" }),
    () => rest.findCalls(access, between),
  ];
  for (const ask of asked) await assert.rejects(ask(rest), TwilioFailure);
  assert.deepEqual(
    Object.keys(cache)
      .filter((file) => file.includes("/twilio/"))
      .sort(),
    loaded,
  );
});
