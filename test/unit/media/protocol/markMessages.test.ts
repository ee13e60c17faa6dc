import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readMark, writeMark } from "../../../../src/media/protocol/markMessages.ts";
import { decodeMessage } from "../../../../src/media/protocol/messages.ts";
import { STREAM_SID } from "./wire.ts";

const OTHER_SID = STREAM_SID.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const asTwilioWrites = (name: string, streamSid: string = STREAM_SID, sequenceNumber = "43"): string =>
  JSON.stringify({ event: "mark", sequenceNumber, streamSid, mark: { name } });

describe("a mark that comes back", () => {
  it("is read without the full parser when it is as Twilio writes it", () => {
    for (const name of ["7-0-200", "greeting-1", "", " ", "a b", "{}[],:"])
      assert.equal(readMark(bytesOf(asTwilioWrites(name)), STREAM_SID), name);
  });

  it("is left to the full parser when it is of another stream, or written otherwise", () => {
    const others = [
      asTwilioWrites("7-0-200", OTHER_SID),
      asTwilioWrites("7-0-200", `${STREAM_SID}0`),
      asTwilioWrites('a "quoted" name'),
      asTwilioWrites("back\\slash"),
      asTwilioWrites("naïve"),
      asTwilioWrites("7-0-200", STREAM_SID, ""),
      asTwilioWrites("7-0-200", STREAM_SID, "4a"),
      `${asTwilioWrites("7-0-200")} `,
      JSON.stringify({ event: "mark", streamSid: STREAM_SID, mark: { name: "7-0-200" } }),
      JSON.stringify({ event: "stop", sequenceNumber: "43", streamSid: STREAM_SID }),
      "",
    ];
    for (const text of others) assert.equal(readMark(bytesOf(text), STREAM_SID), undefined, text);
  });

  it("means what the full parser says, whatever has become of its bytes", () => {
    const whole = bytesOf(asTwilioWrites("7-0-200"));
    const changes = fc.array(
      fc.record({
        at: fc.nat(whole.length - 1),
        to: fc.nat(255),
        kind: fc.constantFrom("set", "cut", "put"),
      }),
      { maxLength: 3 },
    );
    let read = 0;
    fc.assert(
      fc.property(changes, (made) => {
        const changed = [...whole];
        for (const { at, to, kind } of made)
          if (kind === "set") changed[at] = to;
          else if (kind === "cut") changed.splice(at, 1);
          else changed.splice(at, 0, to);
        const bytes = Uint8Array.from(changed);
        const name = readMark(bytes, STREAM_SID);
        if (name === undefined) return;
        read++;
        assert.deepEqual(decodeMessage(bytes), { event: "mark", streamSid: STREAM_SID, name });
      }),
      { numRuns: 20_000 },
    );
    assert.ok(read > 1_000, `${read} were still marks`);
  });
});

describe("a mark that is asked for", () => {
  it("is what JSON.stringify writes, of any length, with any name", () => {
    const name = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc.stringMatching(/^[0-9]+-[0-9]+-[0-9]+$/),
    );
    fc.assert(
      fc.property(name, (name) => {
        const expected = JSON.stringify({ event: "mark", streamSid: STREAM_SID, mark: { name } });
        assert.equal(Buffer.from(writeMark(STREAM_SID, name)).toString(), expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
