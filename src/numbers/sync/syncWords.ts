// How a number stands with Twilio, in words for the person who has to do something about it. Whole numbers and
// addresses stand in here: it is for the API's answers and never for a log.
import { assertNever } from "../../domain/errors.ts";
import type { NumberSync, Places, SyncFailure } from "./syncState.ts";

export interface SyncWords {
  /** What is the matter; undefined when nothing is. */
  readonly sentence: string | undefined;
  /** What to do about it. */
  readonly remedy: string | undefined;
}

const FINE: SyncWords = { sentence: undefined, remedy: undefined };

export interface SpokenOf {
  /** The number. */
  readonly address: string;
  /** Whether its calls should come here. */
  readonly isWanted: boolean;
  /** What it should have at Twilio then. */
  readonly places: Places;
}

export function syncWords({ address, isWanted, places }: SpokenOf, sync: NumberSync): SyncWords {
  if (sync.state === "failed" && !isWanted && sync.ours !== undefined) return leftBehind(address, sync);
  switch (sync.state) {
    case "none":
    case "in_sync":
      return FINE;
    case "pending":
      return {
        sentence: `Twilio has not confirmed the settings of ${address} yet.`,
        remedy: "It is being tried; look again in a moment.",
      };
    case "drifted":
      return {
        sentence:
          sync.found === ""
            ? `${address} has no address for calls at Twilio any more, so calls to it don't come here.`
            : `Calls to ${address} go to ${shownUrl(sync.found)} by Twilio's settings, and not here. That address was left as it was.`,
        remedy: `To have them come here, save the number's workflow again or use its sync operation. ${byHand(address, places)}`,
      };
    case "failed":
      return failureWords(address, sync.failure, sync.ours !== undefined, places);
    default:
      return assertNever(sync);
  }
}

/** Calls should no longer come here, and Twilio couldn't be told. */
function leftBehind(
  address: string,
  { failure, retryAtMs, before }: Extract<NumberSync, { readonly state: "failed" }>,
): SyncWords {
  const formerly =
    before?.voiceUrl === undefined || before.voiceUrl === ""
      ? "where calls should go"
      : shownUrl(before.voiceUrl);
  const again =
    retryAtMs === undefined
      ? "Once that is mended, use the number's sync operation."
      : "It is tried again by itself; the number's sync operation tries at once.";
  return {
    sentence:
      `Twilio may still send calls to ${address} here, where nothing answers them: what it had before could not be put back. ${failure.words ?? ""}`.trim(),
    remedy: `${again} By hand: ${CONSOLE}, ${address}, Voice Configuration, set "A call comes in" to ${formerly}.`,
  };
}

function failureWords(
  address: string,
  { reason, words, by }: SyncFailure,
  isPlaced: boolean,
  places: Places,
): SyncWords {
  switch (reason) {
    case "not_owned":
      return {
        sentence: `${address} is not a number of this Twilio account, so its calls can't come here.`,
        remedy:
          "Buy or move it to the account in Twilio's console, then use the number's sync operation. To call from it, it is enough that Twilio has it among the Verified Caller IDs.",
      };
    case "loopback":
      return {
        sentence: `Twilio can't call this gateway: ${originOf(places)} is an address of this machine alone, so nothing was set for ${address}.`,
        remedy: `Set PUBLIC_BASE_URL to this gateway's public https address (a tunnel's, for instance) and restart it; the number is set then. ${byHand(address, atPublic(places))}`,
      };
    case "overridden":
      return {
        sentence: `Calls to ${address} are answered by ${overrideName(by)}, and Twilio ignores the number's own address meanwhile.`,
        remedy: `If that may go, use the number's sync operation with clear_override=true. Or in Twilio's console, under Phone Numbers, Active numbers, ${address}, set "Configure with" to Webhook and save, then use the sync operation.`,
      };
    case "not_kept":
      return {
        sentence: `Twilio accepted the settings of ${address}, but does not show them.`,
        remedy: `It is tried again by itself. ${byHand(address, places)}`,
      };
    case "unreachable":
    case "unknown":
    case "rate_limited":
      return {
        sentence: `The settings of ${address} could not be confirmed at Twilio. ${words ?? ""}`.trim(),
        remedy: "It is tried again by itself; the number's sync operation tries at once.",
      };
    case "credentials":
    case "suspended":
    case "refused": {
      const what = isPlaced ? "checked or changed" : "set";
      return {
        sentence: `The address of ${address} could not be ${what} at Twilio. ${words ?? ""}`.trim(),
        remedy: `Once that is mended, save the configuration's credentials or use the number's sync operation. ${byHand(address, places)}`,
      };
    }
    default:
      return assertNever(reason);
  }
}

/** Where a number's settings are. */
const CONSOLE = "in Twilio's console, under Phone Numbers, Active numbers";

/** What to paste where. */
function byHand(address: string, { voiceUrl, voiceFallbackUrl, statusCallback }: Places): string {
  return (
    `By hand: ${CONSOLE}, ${address}, Voice Configuration, ` +
    `set "A call comes in" to Webhook, ${voiceUrl}, HTTP POST; "Primary handler fails" to ${voiceFallbackUrl}, ` +
    `HTTP POST; and "Call status changes" to ${statusCallback}, HTTP POST.`
  );
}

/** What to do by hand when a number was left as it is, since this gateway no longer knows it. */
export function leftAtTwilio(addresses: readonly string[], why: string): string {
  const named = addresses.slice(0, NAMED_MAX).join(", ");
  const more = addresses.length > NAMED_MAX ? ` and ${addresses.length - NAMED_MAX} more` : "";
  const [stays, it] = addresses.length === 1 ? ["its address", "it"] : ["their addresses", "them"];
  return (
    `Still at Twilio: ${named}${more} may go on calling this gateway, since ${stays} could not be put back. ${why} ` +
    `In Twilio's console, under Phone Numbers, Active numbers, set "A call comes in" of ${it} to where calls should go.`
  );
}

const NAMED_MAX = 10;

function overrideName(sid: string | undefined): string {
  return sid?.startsWith("TK") ? `the SIP trunk ${sid}` : `the TwiML app ${sid}`;
}

function originOf({ voiceUrl }: Places): string {
  return new URL(voiceUrl).origin;
}

/** Somebody else's address may hold a password before its host, which is nothing for an answer. */
function shownUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, "$1****@");
}

/** The same addresses under a name that the reader replaces. */
function atPublic(places: Places): Places {
  const origin = originOf(places);
  const named = (url: string) => url.replace(origin, "https://YOUR-PUBLIC-ADDRESS");
  return {
    voiceUrl: named(places.voiceUrl),
    voiceFallbackUrl: named(places.voiceFallbackUrl),
    statusCallback: named(places.statusCallback),
  };
}
