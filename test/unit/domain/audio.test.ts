import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  AGENT_RATES_HZ,
  CARRIER_FRAME_SAMPLES,
  CARRIER_RATE_HZ,
  frameSamples,
} from "../../../src/domain/audio.ts";

describe("a frame", () => {
  it("is 20 ms, in whole samples, at every rate there is", () => {
    assert.deepEqual(AGENT_RATES_HZ.map(frameSamples), [160, 320, 480, 960]);
    assert.equal(CARRIER_FRAME_SAMPLES, 160);
    assert.equal(frameSamples(CARRIER_RATE_HZ), CARRIER_FRAME_SAMPLES);
  });
});
