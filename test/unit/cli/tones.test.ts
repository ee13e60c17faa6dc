import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PAYLOAD_CHARACTERS, STEPS, Tone } from "../../../src/cli/load/tones.ts";
import { decode, encode } from "../../../src/twin/mulaw.ts";

const ascii = (payload: string) => Buffer.from(payload, "latin1");
const samplesOf = (payload: string) => decode(Buffer.from(payload, "base64"));
const payloadOf = (samples: Int16Array) => Buffer.from(encode(samples)).toString("base64");

describe("frames that can be recognised", () => {
  it("are recognised as they are, wherever they stand in a message", () => {
    for (let call = 0; call < 64; call++) {
      const tone = new Tone(call);
      for (const [step, payload] of tone.payloads.entries()) {
        assert.equal(payload.length, PAYLOAD_CHARACTERS);
        assert.equal(tone.recognise(ascii(`before${payload}`), 6), step);
      }
    }
  });

  it("are recognised in an echo that comes up to 15 ms late and a little softer", () => {
    for (let call = 0; call < 64; call++) {
      const tone = new Tone(call);
      for (let delay = 0; delay <= 120; delay += 7) {
        for (const [step, payload] of tone.payloads.entries()) {
          const previous = samplesOf(tone.payloads[(step + STEPS - 1) % STEPS]!);
          const present = samplesOf(payload);
          const late = Int16Array.from(
            present,
            (_, i) => 0.9 * (i < delay ? previous[i + 160 - delay]! : present[i - delay]!),
          );
          assert.equal(tone.recognise(ascii(payloadOf(late)), 0), step, `call ${call}, delay ${delay}`);
        }
      }
    }
  });

  it("are no other call's, no silence and no speech", () => {
    const tone = new Tone(0);
    for (let other = 1; other < 8; other++) {
      for (const payload of new Tone(other).payloads) assert.equal(tone.recognise(ascii(payload), 0), -1);
    }
    assert.equal(tone.recognise(ascii(payloadOf(new Int16Array(160))), 0), -1);
    const between = Int16Array.from(samplesOf(tone.payloads[0]!), (sample) => sample * 0.79);
    assert.equal(tone.recognise(ascii(payloadOf(between)), 0), -1);
  });

  it("differ between any two of 64 calls", () => {
    const all = Array.from({ length: 64 }, (_, call) => new Tone(call).payloads.join());
    assert.equal(new Set(all).size, 64);
  });
});
