import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NumberId } from "../../../../src/domain/ids.ts";
import {
  comesTo,
  type Plan,
  placesAt,
  planPlacing,
  planPuttingBack,
} from "../../../../src/numbers/sync/syncPlan.ts";
import {
  backoffMs,
  type Held,
  type May,
  mayPass,
  NOTHING,
  type NumberSync,
  next,
  SYNC_REASONS,
  type SyncEvent,
  spreadOf,
} from "../../../../src/numbers/sync/syncState.ts";
import { Turns } from "../../../../src/numbers/sync/syncTurns.ts";
import { syncWords } from "../../../../src/numbers/sync/syncWords.ts";
import type { TwilioNumber, VoiceSettings } from "../../../../src/twilio/resources.ts";

const PLACES = placesAt("https://gw.example.com/voice", undefined);
const OLD_PLACES = placesAt("https://old.example.com", undefined);
const URLS = ["voiceUrl", "voiceFallbackUrl", "statusCallback"] as const;
const EMPTY: VoiceSettings = {
  voiceUrl: "",
  voiceMethod: "POST",
  voiceFallbackUrl: "",
  voiceFallbackMethod: "POST",
  statusCallback: "",
  statusCallbackMethod: "POST",
  voiceApplicationSid: "",
  trunkSid: "",
};

/** A number as Twilio shows it: what is empty is undefined. */
function shown(settings: VoiceSettings): TwilioNumber {
  const text = (value: string) => (value === "" ? undefined : value);
  return {
    sid: `PN${"1".repeat(32)}`,
    phoneNumber: "+14155550100",
    friendlyName: "",
    ...settings,
    voiceUrl: text(settings.voiceUrl),
    voiceFallbackUrl: text(settings.voiceFallbackUrl),
    statusCallback: text(settings.statusCallback),
    voiceApplicationSid: text(settings.voiceApplicationSid),
    trunkSid: text(settings.trunkSid),
    capabilities: { voice: true },
  };
}

/** Our addresses, with and without Twilio's overrides, earlier ones, somebody else's, and nothing. */
const url = (name: (typeof URLS)[number]) =>
  fc.constantFrom(
    "",
    PLACES[name],
    PLACES[name].split("#")[0]!,
    OLD_PLACES[name],
    "https://elsewhere.example.com/a",
    "https://elsewhere.example.com/b#rc=1",
    "https://demo.twilio.com/welcome/voice/",
  );
const method = fc.constantFrom("GET" as const, "POST" as const);
const settings: fc.Arbitrary<VoiceSettings> = fc.record({
  voiceUrl: url("voiceUrl"),
  voiceMethod: method,
  voiceFallbackUrl: url("voiceFallbackUrl"),
  voiceFallbackMethod: method,
  statusCallback: url("statusCallback"),
  statusCallbackMethod: method,
  voiceApplicationSid: fc.constantFrom("", "AP1"),
  trunkSid: fc.constantFrom("", "TK1"),
});
const held: fc.Arbitrary<Held> = fc.constantFrom({}, { ours: [OLD_PLACES] }, { ours: [OLD_PLACES, PLACES] });
const may = fc.constantFrom<May>("keep", "replace", "release");

const isOurs = (name: (typeof URLS)[number], value: string, { ours = [] }: Held) =>
  value !== "" && [PLACES, ...ours].some((places) => places[name].split("#")[0] === value.split("#")[0]);
const place = (at: VoiceSettings, plan: Plan) => (plan.do === "place" ? { ...at, ...plan.changes } : at);

describe("what is changed at a number", () => {
  it("has calls come here whenever it is changed, and never needs changing twice", () => {
    fc.assert(
      fc.property(settings, held, may, (at, known, allowed) => {
        const plan = planPlacing(shown(at), known, PLACES, allowed);
        if (plan.do === "leave" || plan.do === "report_override") return;
        const after = place(at, plan);
        assert.ok(comesTo(shown(after), PLACES));
        assert.equal(planPlacing(shown(after), { ours: [PLACES] }, PLACES, allowed).do, "nothing");
      }),
      { numRuns: 5_000 },
    );
  });

  it("is nothing that somebody else has set, unless the user said so", () => {
    fc.assert(
      fc.property(settings, held, (at, known) => {
        const after = place(at, planPlacing(shown(at), known, PLACES, "keep"));
        for (const name of URLS) {
          if (at[name] === "" || isOurs(name, at[name], known)) continue;
          if (at[name].startsWith("https://demo.twilio.com/")) continue; // nobody's
          assert.equal(after[name], at[name], name);
        }
        assert.deepEqual([after.trunkSid, after.voiceApplicationSid], [at.trunkSid, at.voiceApplicationSid]);
      }),
      { numRuns: 5_000 },
    );
  });

  it("is reported and left when a trunk or an app answers, and undone only on the user's word", () => {
    fc.assert(
      fc.property(settings, held, may, (at, known, allowed) => {
        const plan = planPlacing(shown(at), known, PLACES, allowed);
        const override = at.trunkSid || at.voiceApplicationSid;
        const isReported = override !== "" && allowed !== "release";
        assert.deepEqual(
          plan.do === "report_override" ? plan.by : undefined,
          isReported ? override : undefined,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("can be put back to the letter, whatever stood there", () => {
    fc.assert(
      fc.property(settings, may, (at, allowed) => {
        // As Twilio keeps it: no fallback without an address. What is ours already has no before.
        const before = at.voiceUrl === "" ? { ...at, voiceFallbackUrl: "" } : at;
        fc.pre(URLS.every((name) => !isOurs(name, before[name], {})));
        const plan = planPlacing(shown(before), {}, PLACES, allowed);
        fc.pre(plan.do === "place");
        const placed = place(before, plan);
        const back = planPuttingBack(shown(placed), { ours: [PLACES], before: plan.before });
        const after = { ...placed, ...back };
        for (const name of Object.keys(EMPTY) as (keyof VoiceSettings)[]) {
          // A method without an address means nothing.
          if (name.endsWith("Method") && after[name.replace("Method", "Url") as "voiceUrl"] === "") continue;
          if (name === "statusCallbackMethod" && after.statusCallback === "") continue;
          assert.equal(after[name], before[name], name);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("is put back only where ours still stands", () => {
    fc.assert(
      fc.property(settings, held, settings, (at, known, before) => {
        const changes = planPuttingBack(shown(at), { ...known, before });
        for (const name of URLS) {
          const own =
            known.ours?.some((places) => places[name].split("#")[0] === at[name].split("#")[0]) ?? false;
          if (at[name] === "" || !own) {
            // Without an address Twilio keeps no fallback.
            if (name === "voiceFallbackUrl" && changes.voiceUrl === "") assert.ok(!changes[name]);
            else assert.equal(changes[name], undefined, name);
          }
        }
        if (changes.voiceUrl === "") assert.ok(!(changes.voiceFallbackUrl ?? at.voiceFallbackUrl));
      }),
      { numRuns: 5_000 },
    );
  });
});

const EVENTS: fc.Arbitrary<SyncEvent> = fc.oneof(
  may.map((allowed): SyncEvent => ({ type: "ordered", may: allowed })),
  fc.constant<SyncEvent>({ type: "placing", numberSid: "PN1", placed: PLACES, before: EMPTY }),
  fc.constant<SyncEvent>({ type: "as_wanted", numberSid: "PN1", placed: PLACES }),
  fc.constant<SyncEvent>({ type: "foreign", numberSid: "PN1", found: "https://elsewhere.example.com/" }),
  fc.constant<SyncEvent>({ type: "nothing_there", numberSid: undefined }),
  fc
    .record({
      reason: fc.constantFrom(...SYNC_REASONS),
      spread: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    })
    .map(({ reason, spread }): SyncEvent => ({ type: "failed", failure: { reason }, spread })),
);

describe("how a number stands", () => {
  it("never forgets what is ours before it is known to be gone, nor an order before it is carried out", () => {
    fc.assert(
      fc.property(fc.array(EVENTS, { maxLength: 30 }), (events) => {
        let sync: NumberSync = NOTHING;
        let mayStand = false;
        let ordered: May | undefined;
        for (const [index, event] of events.entries()) {
          sync = next(sync, event, index);
          sync = JSON.parse(JSON.stringify(sync)); // as it is stored
          if (event.type === "placing" || event.type === "as_wanted") mayStand = true;
          if (event.type === "nothing_there") mayStand = false;
          if (event.type === "ordered") ordered = event.may;
          if (["as_wanted", "foreign", "nothing_there"].includes(event.type)) ordered = undefined;
          if (event.type === "failed" && event.failure.reason === "overridden") ordered = undefined;
          assert.equal(sync.ours !== undefined, mayStand, event.type);
          assert.ok((sync.ours?.length ?? 0) <= 4);
          assert.equal(sync.may, ordered, event.type);
          if (sync.state === "failed") {
            const isRetried =
              event.type === "failed" && event.spread !== undefined && mayPass(sync.failure.reason);
            assert.equal(sync.retryAtMs !== undefined, isRetried);
            assert.ok((sync.retryAtMs ?? Number.POSITIVE_INFINITY) > index);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("is tried again after 5 s, then twice as long, up to a quarter of an hour and a half as much", () => {
    const even = Array.from({ length: 10 }, (_, index) => backoffMs(index + 1, 0) / 1_000);
    assert.deepEqual(even, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
    assert.equal(backoffMs(100, 1), 1.5 * 900_000);
    const spreads = Array.from({ length: 1_000 }, (_, id) => spreadOf(id));
    assert.ok(spreads.every((spread) => spread >= 0 && spread < 1));
    const tenths = new Set(spreads.slice(1, 30).map((spread) => Math.floor(spread * 10)));
    assert.equal(tenths.size, 10, "neighbours are far apart");
  });

  it("is said in words for every reason: which number, and what to do", () => {
    for (const reason of SYNC_REASONS) {
      for (const [ours, isWanted] of [
        [undefined, true],
        [[PLACES], true],
        [undefined, false],
        [[PLACES], false],
      ] as const) {
        const failure = { reason, words: "Twilio said so.", by: "TK1" };
        const sync: NumberSync = {
          state: "failed",
          failure,
          attempts: 1,
          checkedAtMs: 1,
          ...(ours && { ours }),
        };
        const { sentence, remedy } = syncWords({ address: "+14155550100", isWanted, places: PLACES }, sync);
        assert.ok(sentence!.includes("+14155550100"), reason);
        assert.match(sentence!, /\.$/);
        assert.match(remedy!, /\.$/);
        const isLeft = ours !== undefined && !isWanted;
        assert.equal(isLeft && remedy!.includes(PLACES.voiceUrl), false, "nobody pastes what should go");
        assert.ok(!/undefined|null|\[object/.test(`${sentence} ${remedy}`), reason);
      }
    }
    const found = "https://user:pa@ss@elsewhere.example.com/a@b";
    const drifted: NumberSync = { state: "drifted", found, checkedAtMs: 1 };
    const { sentence, remedy } = syncWords(
      { address: "+14155550100", isWanted: true, places: PLACES },
      drifted,
    );
    assert.ok(
      sentence!.includes("go to https://****@elsewhere.example.com/a@b by"),
      "somebody's password stays theirs",
    );
    assert.ok(remedy!.includes(PLACES.voiceUrl) && remedy!.includes(PLACES.statusCallback));
  });
});

describe("turns", () => {
  it("go one after the other for a number, and few at a time in the background", async () => {
    const turns = new Turns();
    const running = new Map<number, number>();
    let background = 0;
    let most = 0;
    const order: string[] = [];
    const act = (id: number, name: string, isBackground: boolean) => async () => {
      assert.equal(running.get(id) ?? 0, 0, "alone with its number");
      running.set(id, 1);
      if (isBackground) most = Math.max(most, ++background);
      for (let step = 0; step < 5; step++) await Promise.resolve();
      if (isBackground) background--;
      running.set(id, 0);
      order.push(name);
      if (name.endsWith("fails")) throw new Error(name);
    };
    const all = Array.from({ length: 40 }, (_, index) => {
      const id = NumberId(index % 10);
      const name = `${id}/${index}${index % 7 === 0 ? " fails" : ""}`;
      const isBackground = index % 2 === 0;
      return isBackground
        ? turns.takeInBackground(id, act(id, name, true))
        : turns.take(id, act(id, name, false));
    });
    const results = await Promise.allSettled(all);
    assert.equal(results.filter(({ status }) => status === "rejected").length, 6);
    assert.equal(order.length, 40);
    assert.ok(most <= 4, `${most} at a time`);
    assert.ok(!turns.isBusy(NumberId(1)), "and nothing is left behind");
    for (let id = 1; id < 10; id += 2) {
      const own = order
        .filter((name) => name.startsWith(`${id}/`))
        .map((name) => Number.parseInt(name.slice(2), 10));
      assert.deepEqual(
        own,
        own.toSorted((a, b) => a - b),
        "in the order they were asked for",
      );
    }
  });
});
