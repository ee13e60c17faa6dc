// Calls with their shell, their sockets and tasks played by the test: whatever happens, each ends once, with the
// model's reason, and leaves nothing behind.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { END_REASONS, type EndReason } from "../../../../src/domain/endings.ts";
import { CONTROLS, type Happenings, World } from "./world.ts";

type Phase = "expected" | "connecting" | "live" | "closing" | "ended";

/** What the test knows of a call, from the outside. */
interface ModelCall {
  readonly rungMs: number;
  phase: Phase;
  untilMs: number;
  reason: EndReason | undefined;
  hasTask: boolean;
  hasSocket: boolean;
}
interface Model {
  nowMs: number;
  readonly calls: ModelCall[];
}
type Command = fc.Command<Model, World>;

const holdsSlot = ({ phase, hasTask, hasSocket }: ModelCall) => phase !== "ended" || hasTask || hasSocket;

function end(call: ModelCall, reason: EndReason): void {
  if (call.phase === "ended") return;
  call.phase = "ended";
  call.reason = reason;
  call.hasSocket = false;
}

/** Everything that can be seen of the calls, against the model. */
function agree(model: Model, world: World): void {
  const { calls } = model;
  assert.equal(world.calls.size, calls.filter(holdsSlot).length, "slots");
  assert.equal(world.clock.running, calls.some(holdsSlot) ? 1 : 0, "the sweep runs while there are calls");
  for (const [index, call] of calls.entries()) {
    const seen = world.seen(index);
    assert.equal(seen.record?.outcome, call.reason, `call ${index}`);
    assert.deepEqual(seen.endings, call.phase === "ended" ? [call.reason] : [], `call ${index} ends once`);
    assert.equal(seen.isSocketOpen, call.hasSocket, `socket of call ${index}`);
    assert.equal(seen.isFound, holdsSlot(call), `call ${index} is found while it holds a slot`);
    if (call.phase === "ended" && call.hasTask) assert.ok(seen.placement.ending, "its task is told to end");
  }
}

/** What happens to one call, to the model of it and for real. */
type Act = (call: ModelCall, world: World, index: number, model: Model) => void;

/** A command on one of the calls there are: `at` counts back from the newest. */
const onCall =
  (what: string, act: Act, isPossible: (call: ModelCall) => boolean = () => true) =>
  (at: number): Command => {
    const pick = ({ calls }: Model): number => calls.length - 1 - (at % calls.length);
    return {
      check: (model) => model.calls.length > 0 && isPossible(model.calls[pick(model)]!),
      run(model, world) {
        const index = pick(model);
        act(model.calls[index]!, world, index, model);
        agree(model, world);
      },
      toString: () => `${what}(${at})`,
    };
  };

/** A command on the gateway as a whole. */
const onAll = (
  what: string,
  run: (model: Model, world: World) => void,
  isPossible = (_: Model) => true,
): Command => ({
  check: isPossible,
  run(model, world) {
    run(model, world);
    agree(model, world);
  },
  toString: () => what,
});

const CALLS_MAX = 4;
const hasRoom = ({ calls }: Model): boolean => calls.filter(holdsSlot).length < CALLS_MAX;

const ring = onAll(
  "ring",
  (model, world) => {
    assert.equal(world.calls.refusal(), undefined);
    world.ring();
    const rungMs = model.nowMs;
    const resources = { reason: undefined, hasTask: true, hasSocket: false };
    model.calls.push({ rungMs, phase: "expected", untilMs: rungMs + 30_000, ...resources });
    assert.equal(world.calls.refusal(), hasRoom(model) ? undefined : "calls_at_limit");
  },
  hasRoom,
);

const upgrade = onCall("upgrade", (call, world, index, model) => {
  const isExpected = call.phase === "expected";
  const isTokenOld = model.nowMs - call.rungMs > 35_000;
  assert.equal(world.upgrade(index), isExpected ? "opened" : isTokenOld ? "token_expired" : "token_used");
  if (!isExpected) return;
  Object.assign(call, { phase: "connecting", untilMs: model.nowMs + 5_000, hasSocket: true });
});

const say = (message: "start" | "connected" | "media" | "binary" | "mismatched") =>
  onCall(
    message,
    (call, world, index) => {
      world.say(index, CONTROLS[message], message === "binary");
      if (call.phase !== "connecting") return;
      if (message === "start") call.phase = "live";
      if (message === "media" || message === "mismatched") end(call, "no_stream");
    },
    (call) => call.hasSocket,
  );

const socketDies = onCall(
  "socketDies",
  (call, world, index, model) => {
    world.cut(index);
    call.hasSocket = false;
    if (call.phase === "connecting") end(call, "no_stream");
    if (call.phase === "live") Object.assign(call, { phase: "closing", untilMs: model.nowMs + 1_000 });
  },
  (call) => call.hasSocket,
);

const taskEnds = (reason: EndReason) =>
  onCall(
    `taskEnds ${reason}`,
    (call, world, index) => {
      world.endTask(index, reason);
      call.hasTask = false;
      end(call, reason);
    },
    (call) => call.hasTask,
  );

const twilioSays = (type: "caller_left" | "stream_over", reason: EndReason) =>
  onCall(type, (call, world, index) => {
    world.seen(index).live?.apply({ type });
    end(call, reason);
  });

const cut = onAll("cut", (model, world) => {
  assert.equal(world.calls.cut(), model.calls.filter(holdsSlot).length);
  for (const call of model.calls) end(call, "drained");
});

const advance = (ms: number) =>
  onAll(`advance(${ms})`, (model, world) => {
    world.clock.advance(ms);
    model.nowMs += ms;
    for (const call of model.calls) {
      if (call.phase === "ended" || call.phase === "live" || model.nowMs < call.untilMs) continue;
      end(call, call.phase === "closing" ? "media_lost" : "no_stream");
    }
  });

const at = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) });
/** Commands are drawn alike; those that a call needs to get anywhere must be drawn more often. */
const often = (command: fc.Arbitrary<Command>): fc.Arbitrary<Command>[] => Array(8).fill(command);
const commands: fc.Arbitrary<Command>[] = [
  fc.constant(ring),
  ...often(at.map(upgrade)),
  ...often(at.map(say("start"))),
  ...(["connected", "media", "binary", "mismatched"] as const).map((message) => at.map(say(message))),
  at.map(socketDies),
  fc.tuple(at, fc.constantFrom(...END_REASONS)).map(([at, reason]) => taskEnds(reason)(at)),
  at.map(twilioSays("caller_left", "caller_hung_up")),
  at.map(twilioSays("stream_over", "media_lost")),
  fc.constant(cut),
  fc.constantFrom(250, 999, 1_000, 5_000, 30_000).map(advance),
];

describe("all calls together", () => {
  it("live as the model says, whatever happens to them, and leave nothing behind", () => {
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 80, size: "max" }), (steps) => {
        // Silence has its own tests below.
        const world = new World({ callsMax: CALLS_MAX, mediaGapMs: Number.POSITIVE_INFINITY });
        const model: Model = { nowMs: 0, calls: [] };
        fc.modelRun(() => ({ model, real: world }), steps);
        // Whatever is left is cut, and its tasks end as they were told to.
        world.calls.cut();
        for (const [index, { hasTask }] of model.calls.entries())
          if (hasTask) world.endTask(index, "drained");
        assert.deepEqual([world.calls.size, world.clock.running], [0, 0]);
        for (const [index] of model.calls.entries()) assert.equal(world.seen(index).endings.length, 1);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a call's token", () => {
  it("lets nobody into a later call that goes by the same name", () => {
    const world = new World({ callsMax: 2 });
    const earlier = world.ring();
    world.endTask(earlier, "agent_failed");
    const later = world.ring(world.callSidOf(earlier));
    assert.equal(world.upgrade(earlier), "token_used");
    assert.deepEqual(world.happenings.refused, ["token_used"]);
    assert.equal(world.upgrade(later), "opened");
  });
});

describe("a call that breaks the contract before its start", () => {
  const cases: [keyof typeof CONTROLS, Partial<Happenings>][] = [
    ["media", { violations: ["early_message"] }],
    ["mismatched", { violations: ["start_mismatch"] }],
    ["otherAccount", { violations: ["start_mismatch"] }],
    ["otherFormat", { violations: ["start_format"] }],
  ];
  for (const [message, { violations }] of cases) {
    it(`is counted once and closed with 1008: ${message}`, () => {
      const world = new World({ callsMax: 1 });
      const index = world.ring();
      world.upgrade(index);
      world.say(index, CONTROLS[message]);
      world.say(index, CONTROLS.start);
      assert.deepEqual(world.happenings.violations, violations);
      assert.deepEqual(world.seen(index).closings, [1008]);
      assert.deepEqual(world.seen(index).endings, ["no_stream"]);
      assert.equal(world.seen(index).placement.ending, "no_stream");
    });
  }
});

describe("a stream that falls silent", () => {
  /** Live, with its last audio now. */
  function talking() {
    const world = new World({ callsMax: 1 });
    const index = world.ring();
    world.upgrade(index);
    world.say(index, CONTROLS.start);
    world.say(index, CONTROLS.media);
    world.clock.advance(250);
    return { world, index, seen: () => world.seen(index) };
  }

  it("is asked after ten seconds whether it is there, and cut after ten more", () => {
    const { world, seen } = talking();
    world.clock.advance(9_999);
    assert.equal(seen().pings, 0);
    world.clock.advance(1);
    assert.equal(seen().pings, 1);
    world.clock.advance(9_999);
    assert.deepEqual([seen().pings, seen().endings], [1, []]);
    world.clock.advance(1);
    assert.deepEqual([seen().endings, seen().closings], [["media_lost"], ["cut"]]);
  });

  it("lives on when it answers, and is asked again", () => {
    const { world, index, seen } = talking();
    for (let time = 1; time <= 3; time++) {
      world.clock.advance(10_000);
      assert.equal(seen().pings, time);
      world.pong(index);
    }
    world.clock.advance(9_999);
    assert.deepEqual([seen().pings, seen().endings], [3, []]);
  });

  it("is not one where audio comes, be it ever so seldom", () => {
    const { world, index, seen } = talking();
    for (let time = 0; time < 10; time++) {
      world.clock.advance(9_000);
      world.say(index, CONTROLS.media);
    }
    assert.deepEqual([seen().pings, seen().endings], [0, []]);
  });
});

describe("audio that goes out together with its mark", () => {
  const audio = new Uint8Array(3 * 214 + 60); // three frames in one message
  const mark = new Uint8Array(80);

  function speaking(fates: readonly ["sent" | "dropped", "sent" | "dropped"]) {
    const world = new World({ callsMax: 1 });
    const index = world.ring();
    world.upgrade(index);
    world.say(index, CONTROLS.connected);
    world.say(index, CONTROLS.start);
    world.speak(index, audio, mark, fates);
    const { framesRefused, silent } = world.happenings;
    return { framesRefused, silent, isSocketOpen: world.seen(index).isSocketOpen };
  }

  it("is counted when the socket has no room for it, and the call goes on as long as its mark is sent", () => {
    assert.deepEqual(speaking(["sent", "sent"]), { framesRefused: [], silent: [], isSocketOpen: true });
    assert.deepEqual(speaking(["dropped", "sent"]), { framesRefused: [3], silent: [], isSocketOpen: true });
  });

  it("means a stream that nobody reads when the mark finds no room", () => {
    for (const fate of ["sent", "dropped"] as const) {
      const { framesRefused, silent, isSocketOpen } = speaking([fate, "dropped"]);
      assert.deepEqual(framesRefused, fate === "sent" ? [] : [3]);
      assert.equal(silent.length, 1);
      assert.equal(isSocketOpen, false);
    }
  });
});

const LEVELS = {
  ...{ levelDb: -20, floorDb: -60, thresholdDb: -45 },
  ...{ isAgentSpeaking: true, isInterrupting: false },
};

describe("what a worker tells of a call", () => {
  const turn = { kind: "turn", agentMs: 600, forwardMs: 1, heardMs: 740 } as const;

  it("stands in its timeline, at its own time, and is told to whoever counts", () => {
    const world = new World({ callsMax: 2 });
    const [one, other] = [world.ring(), world.ring()];
    world.clock.advance(10_000);
    world.tell(one, turn, 40);
    world.tell(other, { kind: "speech_started", ...LEVELS });
    const { kind, ...facts } = turn;
    assert.deepEqual(world.seen(one).record?.events.at(-1), { atMs: 9_960, kind, facts });
    assert.deepEqual(
      world.happenings.told.map(({ run, news }) => [run, news.kind]),
      [
        [world.seen(one).record?.run, "turn"],
        [world.seen(other).record?.run, "speech_started"],
      ],
    );
  });

  it("stands there as well when it comes behind the call's end, and ends nothing", () => {
    const world = new World({ callsMax: 1 });
    const index = world.ring();
    world.calls.cut();
    world.tell(index, turn);
    assert.deepEqual(
      world.seen(index).record?.events.map(({ kind }) => kind),
      ["ended", "turn"],
    );
    assert.deepEqual(world.seen(index).endings, ["drained"]);
  });
});

describe("a call log that takes no more", () => {
  it("is why a call is refused, whatever else there is: each of the others would leave a record", async () => {
    const world = new World({ callsMax: 1 });
    world.ring();
    assert.equal(world.calls.refusal(), "calls_at_limit");
    const written = world.fillLog();
    assert.equal(world.calls.refusal(), "log_full");
    void world.calls.drain();
    assert.equal(world.calls.refusal(), "log_full");
    await written;
    assert.equal(world.calls.refusal(), "draining");
  });
});

describe("a drain", () => {
  it("is over when the last call has let go of everything", async () => {
    const world = new World({ callsMax: 2 });
    const [one, two] = [world.ring(), world.ring()];
    let isOver = false;
    const over = world.calls.drain().then(() => {
      isOver = true;
    });
    assert.equal(world.calls.refusal(), "draining");
    world.endTask(one, "agent_hung_up");
    world.upgrade(two);
    world.say(two, CONTROLS.start);
    world.cut(two);
    await Promise.resolve();
    assert.equal(isOver, false, "a task is still putting its call away");
    world.endTask(two, "caller_hung_up");
    await over;
    assert.equal(world.calls.size, 0);
    await world.calls.drain();
  });
});
