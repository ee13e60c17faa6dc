// The heard ledger against a model that knows of each 20 ms of the generation whose they are.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HeardLedger, type Utterance } from "../../../../src/media/pipeline/ledger.ts";

const FRAME_MS = 20;
const MARKS_MAX = 200;

interface Known {
  readonly id: string;
  text: string;
  givenMs: number;
  isComplete: boolean;
}

/** What speech does with its ledger, on a track that is a list of frames. */
class Model {
  readonly ledger = new HeardLedger();
  readonly told: Utterance[] = [];
  readonly markers: string[] = [];
  readonly begun: string[] = [];
  #named = 0;
  #unnamed = 0;
  #marked = 0;
  /** By frame of this generation: whose it is; a prompt is nobody's. */
  #frames: (Known | undefined)[] = [];
  #sent = 0;
  #heardMs = 0;
  #last: Known | undefined;
  /** Those not told. */
  #open: Known[] = [];
  #marks: { name: string; positionMs: number; leastMs: number; mostMs: number }[] = [];

  get #endMs(): number {
    return this.#frames.length * FRAME_MS;
  }

  begin(text: string): void {
    this.end();
    const id = `u${++this.#named}`;
    this.ledger.begin(id, text, this.#endMs);
    this.#add(id, text);
  }

  /** `part` of it has room in the queue. */
  say(givenMs: number, part: number): void {
    if (this.#last?.isComplete !== false) this.#add(`unnamed-${++this.#unnamed}`, "");
    const one = this.#last!;
    const fromMs = this.#endMs;
    const whole = Math.floor((one.givenMs + givenMs) / FRAME_MS) - Math.floor(one.givenMs / FRAME_MS);
    one.givenMs += givenMs;
    for (let n = 0; n < Math.floor(whole * part); n++) this.#frames.push(one);
    this.ledger.grew(givenMs, fromMs, this.#endMs);
  }

  end(text?: string): void {
    const one = this.#last;
    if (one?.isComplete === false) {
      if (one.givenMs % FRAME_MS > 0) this.#frames.push(one);
      if (text !== undefined) one.text = text;
      one.isComplete = true;
    }
    this.ledger.complete(this.#endMs, text);
    this.#tell();
  }

  prompt(frames: number): void {
    if (this.#last?.isComplete === false && this.#last.givenMs > 0) this.end();
    for (let n = 0; n < frames; n++) this.#frames.push(undefined);
  }

  mark(): void {
    const name = `m${this.#marked++}`;
    const isKept = this.ledger.mark(name, this.#endMs);
    assert.equal(isKept, this.#marks.length < MARKS_MAX);
    if (!isKept) return;
    const mostMs = this.#last === undefined ? 0 : this.#within(this.#last, this.#endMs);
    const leastMs = Math.min(mostMs, this.#last?.givenMs ?? 0);
    this.#marks.push({ name, positionMs: this.#endMs, leastMs, mostMs });
  }

  send(frames: number): void {
    this.#sent = Math.min(this.#frames.length, this.#sent + frames);
  }

  hear(ms: number): void {
    this.#heardMs = Math.min(this.#sent * FRAME_MS, this.#heardMs + ms);
    for (const { name, heardMs } of this.ledger.marksUpTo(this.#heardMs)) {
      const due = this.#marks.shift();
      assert.equal(name, due?.name, "in order, and once");
      assert.ok(due!.positionMs <= this.#heardMs);
      assert.ok(heardMs >= Math.round(due!.leastMs) && heardMs <= Math.round(due!.mostMs), name);
      this.markers.push(name);
    }
    assert.ok((this.#marks[0]?.positionMs ?? Number.POSITIVE_INFINITY) > this.#heardMs, "none is left");
    this.#tell();
  }

  cut(): void {
    const at = this.ledger.at(this.#heardMs);
    assert.equal(at === undefined, this.#open.length === 0);
    const cut = this.ledger.cut(this.#sent * FRAME_MS, this.#heardMs);
    assert.deepEqual(
      cut.map(({ id }) => id),
      this.#open.map(({ id }) => id),
    );
    for (const one of cut) this.#check(one);
    const same = cut.find(({ id }) => id === at?.id);
    assert.equal(Math.round(at?.heardMs ?? 0), same?.heardMs ?? 0);
    assert.equal(at?.heardText ?? "", same?.heardText ?? "");
    [this.#frames, this.#open, this.#marks, this.#last] = [[], [], [], undefined];
    [this.#sent, this.#heardMs] = [0, 0];
    assert.deepEqual(this.ledger.marksUpTo(1e9), []);
  }

  #add(id: string, text: string): void {
    this.#last = { id, text, givenMs: 0, isComplete: false };
    this.#open.push(this.#last);
    this.begun.push(id);
  }

  /** So much of the generation before this position is of that utterance. */
  #within(one: Known, positionMs: number): number {
    let ms = 0;
    for (const [at, owner] of this.#frames.entries())
      if (owner === one) ms += Math.min(Math.max(positionMs - at * FRAME_MS, 0), FRAME_MS);
    return ms;
  }

  #tell(): void {
    for (const one of this.ledger.over(this.#sent * FRAME_MS, this.#heardMs)) {
      const known = this.#open.find(({ id }) => id === one.id)!;
      assert.ok(known.isComplete, "one that may grow is not over");
      assert.equal(one.isInterrupted, false);
      this.#check(one);
      this.#open = this.#open.filter((open) => open !== known);
    }
    // The rest is still to be heard, or to be said.
    for (const open of this.#open)
      if (open.isComplete) assert.ok(this.#within(open, this.#endMs) > this.#within(open, this.#heardMs));
    assert.equal(this.ledger.isOpen, this.#last?.isComplete === false);
  }

  #check(one: Utterance): void {
    const known = this.#open.find(({ id }) => id === one.id);
    assert.ok(known !== undefined, `${one.id} is told once`);
    const { generatedMs, sentMs, heardMs, text, heardText } = one;
    assert.ok(0 <= heardMs && heardMs <= sentMs && sentMs <= generatedMs, JSON.stringify(one));
    assert.equal(generatedMs, Math.round(known.givenMs));
    const expected = (positionMs: number) =>
      Math.round(Math.min(this.#within(known, positionMs), known.givenMs));
    assert.equal(sentMs, expected(this.#sent * FRAME_MS), one.id);
    assert.equal(heardMs, expected(this.#heardMs), one.id);
    assert.equal(text, known.text);
    assert.ok(text.startsWith(heardText));
    const next = text[heardText.length];
    assert.ok(next === undefined || heardText === "" || /\s/.test(next), `"${heardText}" of "${text}"`);
    if (heardMs === 0) assert.equal(heardText === text && text !== "" && generatedMs > 40, false);
    this.told.push(one);
  }
}

const words = fc
  .array(fc.constantFrom("Yes,", "we", "are", "open", "until", "half", "past", "eight.", "Größe", "👋"), {
    maxLength: 12,
  })
  .chain((all) => fc.constantFrom(" ", "  ", "\n").map((space) => all.join(space)));
const ms = fc.oneof(fc.nat(60), fc.nat(3_000), fc.double({ min: 0.125, max: 90, noNaN: true }));
type Act = [string, (model: Model) => void];
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 2, arbitrary: words.map((text): Act => [`begin ${text}`, (on) => on.begin(text)]) },
  { weight: 5, arbitrary: ms.map((given): Act => [`say ${given}`, (on) => on.say(given, 1)]) },
  { weight: 1, arbitrary: ms.map((given): Act => [`half ${given}`, (on) => on.say(given, 0.5)]) },
  { weight: 1, arbitrary: ms.map((given): Act => [`refused ${given}`, (on) => on.say(given, 0)]) },
  { weight: 2, arbitrary: fc.constant<Act>(["end", (on) => on.end()]) },
  { weight: 1, arbitrary: words.map((text): Act => [`end ${text}`, (on) => on.end(text)]) },
  { weight: 1, arbitrary: fc.nat(9).map((frames): Act => [`prompt ${frames}`, (on) => on.prompt(frames)]) },
  { weight: 3, arbitrary: fc.constant<Act>(["mark", (on) => on.mark()]) },
  { weight: 4, arbitrary: fc.nat(80).map((frames): Act => [`send ${frames}`, (on) => on.send(frames)]) },
  { weight: 4, arbitrary: ms.map((heard): Act => [`hear ${heard}`, (on) => on.hear(heard)]) },
  { weight: 1, arbitrary: fc.constant<Act>(["cut", (on) => on.cut()]) },
);

describe("the heard ledger", () => {
  it("tells each utterance once, with what was generated, sent and heard of it, as the frames say", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60, size: "max" }), (story) => {
        const model = new Model();
        for (const [, happens] of story) happens(model);
        model.cut();
        assert.deepEqual(model.told.map(({ id }) => id).toSorted(), model.begun.toSorted());
        assert.equal(new Set(model.markers).size, model.markers.length);
      }),
      { numRuns: 500 },
    );
  });

  it("remembers so many marks and no more, and those again once they were heard", () => {
    const model = new Model();
    model.say(2_000, 1);
    for (let n = 0; n < MARKS_MAX + 5; n++) model.mark();
    model.send(100);
    model.hear(2_000);
    assert.equal(model.markers.length, MARKS_MAX);
    model.mark();
  });

  it("keeps no utterance that has nothing to be heard, behind whatever it waits", () => {
    const ledger = new HeardLedger();
    ledger.begin("long", "", 0);
    ledger.grew(2_000, 0, 2_000);
    let told = 0;
    for (let n = 0; n < 100; n++) {
      ledger.begin(`empty-${n}`, "Nothing", 2_000);
      ledger.complete(2_000);
      for (const one of ledger.over(200, 0)) {
        assert.deepEqual(
          [one.id, one.heardMs, one.heardText, one.isInterrupted],
          [`empty-${n}`, 0, "", false],
        );
        told++;
      }
    }
    assert.equal(told, 100);
    assert.equal(ledger.isGreeted, false, "nothing of it was a greeting");
    assert.deepEqual(
      ledger.over(2_000, 2_000).map(({ id }) => id),
      ["long"],
    );
    assert.equal(ledger.isGreeted, true);
  });

  it("takes a mark for the utterance that it ends, though the next begins there", () => {
    const ledger = new HeardLedger();
    ledger.begin("one", "", 0);
    ledger.grew(1_000, 0, 1_000);
    ledger.complete(1_000);
    ledger.mark("end of one", 1_000);
    ledger.begin("two", "", 1_000);
    ledger.grew(500, 1_000, 1_500);
    ledger.mark("in two", 1_500);
    assert.deepEqual(ledger.marksUpTo(1_000), [{ name: "end of one", heardMs: 1_000 }]);
    assert.deepEqual(ledger.marksUpTo(1_500), [{ name: "in two", heardMs: 500 }]);
  });

  it("leaves an utterance that has no audio yet behind what the gateway says meanwhile", () => {
    const ledger = new HeardLedger();
    ledger.begin("slow", "One moment", 0);
    assert.deepEqual([ledger.isOpen, ledger.isGrowing, ledger.isMidUtterance], [true, false, true]);
    ledger.grew(600, 1_700, 2_300); // behind 1.7 s of comfort
    ledger.complete(2_300);
    const [one] = ledger.cut(2_300, 2_000);
    assert.deepEqual([one!.id, one!.sentMs, one!.heardMs, one!.heardText], ["slow", 600, 300, "One"]);
  });

  describe("estimates the text that was heard", () => {
    const heardOf = (text: string, lengthMs: number, heardMs: number, isComplete = true) => {
      const ledger = new HeardLedger();
      ledger.begin("it", text, 0);
      ledger.grew(lengthMs, 0, lengthMs);
      if (isComplete) ledger.complete(lengthMs);
      return ledger.cut(lengthMs, heardMs)[0]!.heardText;
    };
    const text = "We are open until half past eight";

    it("by length, back to the last whole word", () => {
      assert.equal(heardOf(text, 3_300, 0), "");
      assert.equal(heardOf(text, 3_300, 199), "");
      assert.equal(heardOf(text, 3_300, 200), "We");
      assert.equal(heardOf(text, 3_300, 1_190), "We are open");
      assert.equal(heardOf(text, 3_300, 3_259), "We are open until half past");
      assert.equal(heardOf(text, 3_300, 3_260), text);
    });

    it("by its own length too while more of its audio is to come", () => {
      assert.equal(heardOf(text, 500, 500, false), "We are");
      assert.equal(heardOf(text, 500, 500, true), text);
      assert.equal(heardOf(text, 3_000, 3_000, false), text);
    });

    it("by all that was given, though the queue had no room for some of it", () => {
      const ledger = new HeardLedger();
      ledger.begin("it", text, 0);
      ledger.grew(3_300, 0, 1_100);
      ledger.complete(1_100);
      assert.equal(ledger.over(1_100, 1_100)[0]!.heardText, "We are open");
    });
  });
});
