// What a frame is. Every other length in samples or bytes is derived from these three facts.
import assert from "node:assert/strict";

/** A frame is 20 ms of one track. */
export const FRAME_MS = 20;
/** The telephone network's sample rate; Twilio's media is always mu-law at this rate, one channel. */
export const CARRIER_RATE_HZ = 8_000;
/** Samples of one frame at the carrier's rate; as mu-law, also its bytes. */
export const CARRIER_FRAME_SAMPLES = (CARRIER_RATE_HZ * FRAME_MS) / 1_000;
/** The rates an agent may hear and speak at. */
export const AGENT_RATES_HZ = [8_000, 16_000, 24_000, 48_000] as const;
export type AgentRateHz = (typeof AGENT_RATES_HZ)[number];

/** Samples of one frame at a rate. */
export function frameSamples(rateHz: number): number {
  return (rateHz * FRAME_MS) / 1_000;
}

assert(Number.isInteger(CARRIER_FRAME_SAMPLES));
for (const rateHz of AGENT_RATES_HZ) assert(Number.isInteger(frameSamples(rateHz)));
