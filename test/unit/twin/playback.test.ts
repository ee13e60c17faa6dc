import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BUFFER_MAX_MS, Playback } from "../../../src/twin/playback.ts";
import { SAMPLES_PER_MS } from "../../../src/twin/track.ts";

const FRAME = 160;

describe("Twilio's playback", () => {
  it("plays from the moment audio arrives", () => {
    const playback = new Playback();
    assert.equal(playback.firstMs, undefined);
    assert.equal(playback.queue(FRAME, 100), 800);
    assert.equal(playback.firstMs, 100);
    assert.equal(playback.playedMs(100), 0);
    assert.equal(playback.playedMs(110), 10);
    assert.equal(playback.playedMs(500), 20);
  });

  it("plays a burst in order and in real time", () => {
    const playback = new Playback();
    for (let frame = 0; frame < 50; frame++) assert.equal(playback.queue(FRAME, 0), frame * FRAME);
    assert.equal(playback.waitingMs(0), 1_000);
    assert.equal(playback.playedMs(400), 400);
    assert.equal(playback.waitingMs(400), 600);
    assert.equal(playback.playedMs(2_000), 1_000);
  });

  it("starts anew after a pause, and does not count the pause as played", () => {
    const playback = new Playback();
    playback.queue(FRAME, 0);
    assert.equal(playback.queue(FRAME, 50), 50 * SAMPLES_PER_MS);
    assert.equal(playback.playedMs(60), 30);
  });

  it("takes audio of any length", () => {
    const playback = new Playback();
    assert.equal(playback.queue(1, 0), 0);
    assert.equal(playback.queue(7, 0), 1);
    assert.equal(playback.queue(8_001, 0), 8);
    assert.equal(playback.waitingMs(1), 1_000.125);
  });

  it("sends a mark back when everything before it has played, and only once", () => {
    const playback = new Playback();
    playback.queue(FRAME, 0);
    playback.mark("one");
    playback.queue(FRAME, 0);
    playback.mark("two");
    playback.mark("also two");
    assert.deepEqual(playback.reached(19.9), []);
    assert.deepEqual(playback.reached(20), ["one"]);
    assert.deepEqual(playback.reached(39), []);
    assert.deepEqual(playback.reached(60), ["two", "also two"]);
    assert.deepEqual(playback.reached(99), []);
  });

  it("sends a mark back at once when nothing is waiting", () => {
    const playback = new Playback();
    playback.mark("before any audio");
    assert.deepEqual(playback.reached(0), ["before any audio"]);
    playback.queue(FRAME, 0);
    playback.mark("behind played audio");
    assert.deepEqual(playback.reached(20), ["behind played audio"]);
  });

  it("empties the buffer on a clear and sends all marks back", () => {
    const playback = new Playback();
    for (let frame = 0; frame < 10; frame++) playback.queue(FRAME, 0);
    playback.mark("half");
    playback.queue(FRAME, 0);
    playback.mark("end");
    assert.deepEqual(playback.clear(50), ["half", "end"]);
    assert.equal(playback.waitingMs(50), 0);
    assert.equal(playback.playedMs(500), 50);
    assert.deepEqual(playback.reached(500), []);
    assert.equal(playback.queue(FRAME, 60), 60 * SAMPLES_PER_MS);
  });

  it("has played nothing when all was cleared before its turn", () => {
    const playback = new Playback();
    playback.queue(FRAME, 10);
    playback.clear(10);
    assert.equal(playback.firstMs, undefined);
  });

  it("refuses what would be more than ten minutes ahead, until there is room", () => {
    const playback = new Playback();
    const tenMinutes = BUFFER_MAX_MS * SAMPLES_PER_MS;
    assert.equal(playback.queue(tenMinutes, 0), 0);
    assert.equal(playback.queue(1, 0), undefined);
    assert.equal(playback.queue(FRAME, 20), tenMinutes);
  });

  it("agrees with a machine that plays sample by sample", () => {
    const step = fc.record({
      afterSamples: fc.nat(400),
      act: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constant("mark"), fc.constant("clear")),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const playback = new Playback();
        const machine = new SampleMachine();
        const echoed: string[] = [];
        for (const [index, { afterSamples, act }] of steps.entries()) {
          machine.run(afterSamples);
          const nowMs = machine.now / SAMPLES_PER_MS;
          echoed.push(...playback.reached(nowMs));
          if (act === "mark") {
            machine.queue.push(`${index}`);
            playback.mark(`${index}`);
          } else if (act === "clear") {
            machine.clear();
            echoed.push(...playback.clear(nowMs));
          } else {
            machine.queue.push(act as number);
            playback.queue(act as number, nowMs);
          }
          machine.run(0);
          echoed.push(...playback.reached(nowMs));
          assert.equal(playback.playedMs(nowMs) * SAMPLES_PER_MS, machine.played);
          assert.deepEqual(echoed, machine.echoed);
        }
      }),
    );
  });
});

/** The slow and obvious way. */
class SampleMachine {
  now = 0;
  played = 0;
  readonly echoed: string[] = [];
  /** Numbers are samples, texts are marks. */
  readonly queue: (number | string)[] = [];

  run(samples: number): void {
    this.#sendMarks();
    for (let i = 0; i < samples; i++) {
      this.now++;
      const [first] = this.queue;
      if (typeof first === "number") {
        this.played++;
        if (first === 1) this.queue.shift();
        else this.queue[0] = first - 1;
      }
      this.#sendMarks();
    }
  }

  clear(): void {
    this.echoed.push(...this.queue.filter((entry) => typeof entry === "string"));
    this.queue.length = 0;
  }

  #sendMarks(): void {
    while (typeof this.queue[0] === "string") this.echoed.push(this.queue.shift() as string);
  }
}
