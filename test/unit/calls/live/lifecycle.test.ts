import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type CallEvent, type CallState, expected, next } from "../../../../src/calls/live/lifecycle.ts";
import { END_REASONS, type EndReason } from "../../../../src/domain/endings.ts";
import { StreamSid } from "../../../../src/domain/ids.ts";

type Phase = CallState["name"];
type Happening = CallEvent["type"];

/**
 * The model: what each happening does to a call, as a table. `→ phase` moves it, a reason ends it, `its own` ends it
 * with the reason the happening brings; what is not here leaves it alone. Time is not in the table: see `DEADLINES`.
 */
const MODEL: Readonly<Record<Exclude<Phase, "ended">, Partial<Record<Happening, string>>>> = {
  expected: {
    upgraded: "→ connecting",
    task_ended: "its own",
    caller_left: "caller_hung_up",
    stream_over: "media_lost",
    drain_over: "drained",
  },
  connecting: {
    started: "→ live",
    contract_broken: "no_stream",
    socket_closed: "no_stream",
    task_ended: "its own",
    caller_left: "caller_hung_up",
    stream_over: "media_lost",
    drain_over: "drained",
  },
  live: {
    contract_broken: "protocol_error",
    socket_closed: "→ closing",
    stream_silent: "media_lost",
    task_ended: "its own",
    caller_left: "caller_hung_up",
    stream_over: "media_lost",
    drain_over: "drained",
  },
  closing: {
    task_ended: "its own",
    caller_left: "caller_hung_up",
    stream_over: "media_lost",
    drain_over: "drained",
  },
};

/** How long a phase may last, and how the call ends when it does. Talking has no deadline here. */
const DEADLINES: Partial<Record<Phase, { readonly ms: number; readonly reason: EndReason }>> = {
  expected: { ms: 30_000, reason: "no_stream" },
  connecting: { ms: 5_000, reason: "no_stream" },
  closing: { ms: 1_000, reason: "media_lost" },
};

interface Model {
  phase: Phase;
  sinceMs: number;
  reason: EndReason | undefined;
}

function step(model: Model, event: CallEvent, nowMs: number): Model {
  const { phase, sinceMs } = model;
  if (phase === "ended") return model;
  const ended = (reason: EndReason): Model => ({ phase: "ended", sinceMs: nowMs, reason });
  if (event.type === "time") {
    const deadline = DEADLINES[phase];
    return deadline !== undefined && nowMs - sinceMs >= deadline.ms ? ended(deadline.reason) : model;
  }
  const effect = MODEL[phase][event.type];
  if (effect === undefined) return model;
  if (effect.startsWith("→ ")) return { phase: effect.slice(2) as Phase, sinceMs: nowMs, reason: undefined };
  return ended(event.type === "task_ended" ? event.reason : (effect as EndReason));
}

const STREAM = StreamSid("MZ1");
const event: fc.Arbitrary<CallEvent> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<CallEvent>({ type: "upgraded" }, { type: "started", streamSid: STREAM }),
  },
  { weight: 4, arbitrary: fc.constant<CallEvent>({ type: "time" }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<CallEvent>(
      { type: "socket_closed" },
      { type: "stream_silent" },
      { type: "contract_broken" },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<CallEvent>(
      { type: "caller_left" },
      { type: "stream_over" },
      { type: "drain_over" },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...END_REASONS).map((reason): CallEvent => ({ type: "task_ended", reason })),
  },
);
const pauseMs = fc.oneof(
  fc.constantFrom(0, 1, 999, 1_000, 4_999, 5_000, 29_999, 30_000, 3_600_000),
  fc.nat(8 * 40_000).map((eighths) => eighths / 8), // sums of these are exact
);
const life = fc.array(fc.tuple(pauseMs, event), { maxLength: 30 });

describe("a call's life", () => {
  it("is the model's, whatever happens to it in whatever order, and ends once", () => {
    fc.assert(
      fc.property(life, (happenings) => {
        let nowMs = 1_000;
        let state = expected(nowMs);
        let model: Model = { phase: "expected", sinceMs: nowMs, reason: undefined };
        let endings = 0;
        for (const [afterMs, happening] of happenings) {
          nowMs += afterMs;
          const before = state;
          const modelBefore = model;
          state = next(before, happening, nowMs);
          model = step(modelBefore, happening, nowMs);
          assert.equal(state.name, model.phase, happening.type);
          if (state.name === "ended") assert.equal(state.reason, model.reason, happening.type);
          if (state.name === "live") assert.equal(state.streamSid, STREAM);
          if (model === modelBefore) assert.equal(state, before, `${happening.type} leaves it as it is`);
          if (state.name === "ended" && before.name !== "ended") endings++;
          const deadline = DEADLINES[state.name];
          assert.equal(
            "untilMs" in state && state.untilMs,
            deadline !== undefined && model.sinceMs + deadline.ms,
          );
        }
        assert.equal(endings, state.name === "ended" ? 1 : 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it("stays as it ended, for good", () => {
    fc.assert(
      fc.property(fc.constantFrom(...END_REASONS), life, (reason, happenings) => {
        const over = next(expected(0), { type: "task_ended", reason }, 0);
        assert.deepEqual(over, { name: "ended", reason });
        let nowMs = 0;
        for (const [afterMs, happening] of happenings) {
          nowMs += afterMs;
          assert.equal(next(over, happening, nowMs), over);
        }
      }),
    );
  });

  it("is over after thirty-six seconds unless the stream has started", () => {
    fc.assert(
      fc.property(life, (happenings) => {
        let state: CallState = expected(0);
        for (const [, happening] of happenings) {
          if (happening.type !== "started") state = next(state, happening, 0);
        }
        assert.equal(next(state, { type: "time" }, 36_000).name, "ended");
      }),
    );
  });

  it("changes nothing in the state it is given", () => {
    fc.assert(
      fc.property(life, (happenings) => {
        let state: CallState = Object.freeze(expected(0));
        for (const [afterMs, happening] of happenings) {
          state = Object.freeze(next(state, Object.freeze(happening), afterMs));
        }
      }),
    );
  });
});
