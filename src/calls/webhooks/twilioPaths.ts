// The addresses that Twilio is given: one place for those that ask and those that answer.
import type { RunId } from "../../domain/ids.ts";
import type { RunUrls } from "../outbound/outbound.ts";

const TELEPHONY = "/api/v1/telephony";
const TWILIO = `${TELEPHONY}/twilio`;

/** Routes as they are planted. */
export const TWILIO_PATHS = {
  inbound: `${TELEPHONY}/inbound/run`,
  fallback: `${TELEPHONY}/inbound/fallback`,
  answer: `${TWILIO}/answer/{run}`,
  machineDetection: `${TWILIO}/machine-detection/{run}`,
  runStatus: `${TWILIO}/status-callback/{run}`,
  numberStatus: `${TWILIO}/status-callback`,
  streamEnded: `${TWILIO}/stream-ended/{run}`,
  streamStatus: `${TWILIO}/stream-status/{run}`,
} as const;

/** The route that has this path, as it is planted; undefined where Twilio has nothing to ask. */
export function plantedAt(path: string): string | undefined {
  return Object.values(TWILIO_PATHS).find((planted) => path.startsWith(planted.replace("{run}", "")));
}

/** A path of one run under the public base, which has no slash at its end. */
export function runUrl(base: string, path: keyof typeof TWILIO_PATHS, run: RunId): string {
  return base + TWILIO_PATHS[path].replace("{run}", String(run));
}

/** What a call that is placed is given. `fallback`: VOICE_FALLBACK_URL, which may be another host's. */
export function runUrls(base: string, run: RunId, fallback: string | undefined): RunUrls {
  return {
    answer: runUrl(base, "answer", run),
    statusCallback: runUrl(base, "runStatus", run),
    machineDetection: runUrl(base, "machineDetection", run),
    fallback: fallback ?? base + TWILIO_PATHS.fallback,
  };
}
