// What has to change at Twilio for a number to call here, or no longer to; and what must be left alone because it
// isn't ours. Pure: settle.ts asks and tells Twilio.
import type { TwilioNumber, VoiceSettings } from "../../twilio/resources.ts";
import type { Held, May, Places } from "./syncState.ts";

/** How Twilio asks us: two more tries after a broken or slow connection or an error of a server, each bounded. */
const OVERRIDES = "#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000";

/** The addresses under a public base. `fallbackUrl`: the operator's own place for calls that we don't answer. */
export function placesAt(publicBase: string, fallbackUrl: string | undefined): Places {
  return {
    voiceUrl: `${publicBase}/api/v1/telephony/inbound/run${OVERRIDES}`,
    voiceFallbackUrl: fallbackUrl ?? `${publicBase}/api/v1/telephony/inbound/fallback`,
    statusCallback: `${publicBase}/api/v1/telephony/twilio/status-callback`,
  };
}

const FIELDS = [
  { url: "voiceUrl", method: "voiceMethod" },
  { url: "voiceFallbackUrl", method: "voiceFallbackMethod" },
  { url: "statusCallback", method: "statusCallbackMethod" },
] as const;

/** What a number that was just bought has, and nobody chose. */
const TWILIO_DEMO = /^https?:\/\/demo\.twilio\.com\//;

export type Plan =
  | { readonly do: "nothing" }
  | { readonly do: "place"; readonly changes: Partial<VoiceSettings>; readonly before: VoiceSettings }
  /** An address that isn't ours stands there. */
  | { readonly do: "leave"; readonly found: string }
  | { readonly do: "report_override"; readonly by: string };

/** How to have calls to a number, as Twilio has it now, come to `places`. */
export function planPlacing(found: TwilioNumber, held: Held, places: Places, may: May): Plan {
  const override = overrideOf(found);
  if (override !== undefined && may !== "release") return { do: "report_override", by: override };
  const voiceUrl = found.voiceUrl ?? "";
  const isVacant = held.ours === undefined && (voiceUrl === "" || TWILIO_DEMO.test(voiceUrl));
  if (may === "keep" && !isVacant && !isOurs("voiceUrl", found, held, places)) {
    return { do: "leave", found: voiceUrl };
  }
  const changes: { -readonly [Name in keyof VoiceSettings]?: VoiceSettings[Name] } = {};
  const before: { -readonly [Name in keyof VoiceSettings]: VoiceSettings[Name] } = {
    ...(held.before ?? NOTHING_BEFORE),
  };
  for (const { url, method } of FIELDS) {
    const current = found[url] ?? "";
    const isOwn = isOurs(url, found, held, places);
    // Beside the address itself, what somebody else has set stays unless the user takes the number over.
    if (may === "keep" && url !== "voiceUrl" && current !== "" && !isOwn) continue;
    if (!isOwn) {
      before[url] = current;
      before[method] = found[method] ?? "POST";
    }
    // Twilio's connection overrides are nothing to change a number for that works.
    const stands = may === "keep" ? sameUrl(current, places[url]) : current === places[url];
    if (stands && found[method] === "POST") continue;
    changes[url] = places[url];
    changes[method] = "POST";
  }
  if (override !== undefined) {
    before.voiceApplicationSid = found.voiceApplicationSid ?? "";
    before.trunkSid = found.trunkSid ?? "";
    if (found.voiceApplicationSid !== undefined) changes.voiceApplicationSid = "";
    if (found.trunkSid !== undefined) changes.trunkSid = "";
  }
  return Object.keys(changes).length === 0 ? { do: "nothing" } : { do: "place", changes, before };
}

/** Whether calls to the number, as Twilio has it, come to `places`. */
export function comesTo(found: TwilioNumber, places: Places): boolean {
  return (
    sameUrl(found.voiceUrl ?? "", places.voiceUrl) &&
    found.voiceMethod === "POST" &&
    overrideOf(found) === undefined
  );
}

/** What to change so that what stood there before us stands there again; empty: nothing of ours is left there. */
export function planPuttingBack(found: TwilioNumber, held: Held): Partial<VoiceSettings> {
  const { ours = [], before = NOTHING_BEFORE } = held;
  const changes: { -readonly [Name in keyof VoiceSettings]?: VoiceSettings[Name] } = {};
  for (const { url, method } of FIELDS) {
    if (!ours.some((placed) => sameUrl(found[url] ?? "", placed[url]))) continue;
    changes[url] = before[url];
    changes[method] = before[method];
  }
  if (changes.voiceUrl !== undefined && overrideOf(found) === undefined) {
    if (before.voiceApplicationSid !== "") changes.voiceApplicationSid = before.voiceApplicationSid;
    if (before.trunkSid !== "") changes.trunkSid = before.trunkSid;
  }
  // Twilio keeps no fallback on a number without an address.
  if (changes.voiceUrl === "" && (changes.voiceFallbackUrl ?? found.voiceFallbackUrl)) {
    changes.voiceFallbackUrl = "";
  }
  return changes;
}

/** Whether the number, as Twilio has it, still calls what was placed there. */
export function stillCalls(found: TwilioNumber, { ours = [] }: Held): boolean {
  return ours.some((placed) => sameUrl(found.voiceUrl ?? "", placed.voiceUrl));
}

export const NOTHING_BEFORE: VoiceSettings = {
  voiceUrl: "",
  voiceMethod: "POST",
  voiceFallbackUrl: "",
  voiceFallbackMethod: "POST",
  statusCallback: "",
  statusCallbackMethod: "POST",
  voiceApplicationSid: "",
  trunkSid: "",
};

/** A trunk goes before an application, as it does at Twilio. */
function overrideOf({ trunkSid, voiceApplicationSid }: TwilioNumber): string | undefined {
  return trunkSid ?? voiceApplicationSid;
}

function isOurs(
  url: (typeof FIELDS)[number]["url"],
  found: TwilioNumber,
  held: Held,
  places: Places,
): boolean {
  const current = found[url] ?? "";
  return [places, ...(held.ours ?? [])].some((placed) => sameUrl(current, placed[url]));
}

/** Equal but for the fragment, which Twilio keeps for itself. */
function sameUrl(a: string, b: string): boolean {
  return a !== "" && a.split("#", 1)[0] === b.split("#", 1)[0];
}
