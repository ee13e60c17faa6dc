// Twilio's error codes and SIP's response codes in words for the operator: what happened, and what to do about it.
// It explains; what follows from a code (a retry, a status, an end reason) is decided elsewhere.

/** One code in words. Both are whole sentences, free of numbers, secrets and Twilio's own wording. */
export interface Explanation {
  /** What happened. */
  readonly sentence: string;
  /** What to do. */
  readonly remedy: string;
}

/** Twilio's page about one of its codes; there is one for codes that this gateway doesn't know as well. */
export function docsUrl(code: number): string {
  return `https://www.twilio.com/docs/errors/${code}`;
}

/** A Twilio error code: of a REST answer, a failed call's status callback, a webhook or a stream. */
export function explainTwilioCode(code: number): Explanation {
  return (
    CODES.get(code) ?? {
      sentence: `Twilio reported error ${code}, which this gateway has no words for.`,
      remedy: `Read ${docsUrl(code)}.`,
    }
  );
}

/** The `SipResponseCode` of a call's last status callback. Undefined for those that mean no failure (below 400). */
export function explainSipCode(code: number): Explanation | undefined {
  if (!(code >= 400)) return undefined;
  return SIP_CODES.get(code) ?? explainSipClass(code);
}

/** What a trial account does to a call that is placed: not an error, but what the person called hears. */
export const TRIAL_NOTICE: Explanation = {
  sentence: "This is a trial account: whoever is called first hears Twilio's trial notice.",
  remedy: "Upgrade the account in Twilio's console to have calls begin with your agent.",
};
export const TRIAL_KEY_PRESS: Explanation = {
  sentence:
    "On a trial account the person called must press a key after the notice, or the agent is never joined.",
  remedy: "Press any key when you test, or upgrade the account.",
};

const TO_LOG = "Look at the call in Twilio's console, under Monitor, Logs.";
const OWN_ADDRESS = "Check that PUBLIC_BASE_URL is this gateway's address and that the gateway is running.";
const UPGRADE_PROXY = "Check that the proxy or tunnel in front of the gateway passes WebSocket upgrades on.";
const REPORT = "If it happens again, please report it: the gateway should never send such a message.";

const TABLE: Readonly<Record<number, readonly [sentence: string, remedy: string]>> = {
  // The account and its credentials
  10001: [
    "The Twilio account is not active.",
    "Log in to Twilio's console: it says why and how to reactivate it.",
  ],
  10004: [
    "The account already has as many calls as Twilio lets it have at a time.",
    "Wait until some have ended, or ask Twilio for a higher limit.",
  ],
  20003: [
    "Twilio does not accept these credentials.",
    "Copy the account SID and auth token again from Twilio's console; a new token makes the old one useless.",
  ],
  20005: [
    "The Twilio account is not active.",
    "Log in to Twilio's console: it says why and how to reactivate it.",
  ],
  20008: [
    "These are Twilio's test credentials, which can't do this.",
    "Use the account's live SID and auth token.",
  ],
  20404: [
    "Twilio knows nothing under this name in this account.",
    "Check that it belongs to this account and was not deleted.",
  ],
  20429: [
    "Twilio got more requests at a time than it allows and did not process this one.",
    "Nothing was done; try again in a moment.",
  ],

  // Trial accounts
  13805: [
    "Twilio ended the call because trial accounts may talk for ten minutes at most.",
    "Upgrade the account for longer calls.",
  ],
  21219: [
    "A trial account may only call numbers that were verified, and the one called was not.",
    "Verify the number in Twilio's console under Verified Caller IDs, or upgrade the account.",
  ],
  21608: [
    "A trial account may only write to numbers that were verified.",
    "Verify the number in Twilio's console under Verified Caller IDs, or upgrade the account.",
  ],
  573005: [
    "The account is on trial, and this destination is none of its verified numbers, so Twilio placed no call.",
    "Add the destination to the Verified Caller IDs in Twilio's console, or upgrade the account.",
  ],

  // Placing and changing calls
  21200: ["Twilio could not make sense of the request for a call.", `Read ${docsUrl(21200)}.`],
  21201: ["No number to call was given.", "Give the number to call in E.164, such as +14155550100."],
  21205: [
    "Twilio does not accept one of the addresses it should ask about the call.",
    "PUBLIC_BASE_URL must be a public https address whose host name has no underscore.",
  ],
  21208: ["Twilio does not accept the ringing time.", "Choose between 5 and 600 seconds."],
  21210: [
    "The caller ID is neither a number of this account nor verified for it.",
    "Choose a caller ID that the account owns, or verify this one in Twilio's console.",
  ],
  21211: [
    "Twilio does not accept the number to call.",
    "Write it in E.164: a plus sign, country code and number, such as +14155550100.",
  ],
  21212: [
    "Twilio does not accept the caller ID.",
    "Choose one of the account's numbers, in E.164 such as +14155550100.",
  ],
  21213: ["No caller ID was given.", "Choose one of the account's numbers."],
  21214: [
    "Twilio can't reach the number to call.",
    "Check the number; some networks can't be called from Twilio.",
  ],
  21215: [
    "The account has no permission to call this country or range.",
    "Allow it in Twilio's console under Voice, Settings, Geographic Permissions.",
  ],
  21216: ["Twilio does not let this account call this number.", "Ask Twilio's support about the number."],
  21217: ["The number to call can't be a telephone number.", "Check it for a missing or surplus digit."],
  21220: [
    "The call is in no state for this: it is already over, or not up yet.",
    "Nothing has to be done if it is over.",
  ],
  21402: [
    "Twilio does not accept one of the addresses that the number should have.",
    "PUBLIC_BASE_URL and VOICE_FALLBACK_URL must be public https addresses whose host names have no underscore.",
  ],
  21405: [
    "Twilio does not keep a fallback address for a number that has no voice address.",
    "Set the number's voice address together with its fallback.",
  ],
  21609: [
    "Twilio does not accept the address for a call's progress.",
    "PUBLIC_BASE_URL must be a public https address whose host name has no underscore.",
  ],
  21626: [
    "Twilio placed the call but does not understand which of its events it should report.",
    `The call's progress can't be followed. ${REPORT}`,
  ],

  // Twilio's requests to this gateway
  11100: [
    "A webhook's address is no address.",
    "Check PUBLIC_BASE_URL and what the number has in Twilio's console.",
  ],
  11200: ["Twilio asked a webhook and got no usable answer.", OWN_ADDRESS],
  11205: ["Twilio could not connect to a webhook.", OWN_ADDRESS],
  11210: [
    "Twilio could not find the host of a webhook.",
    "Check the host name in PUBLIC_BASE_URL and its DNS.",
  ],
  11215: [
    "A webhook sent Twilio on more often than it follows.",
    "Give Twilio the address that answers, not one that redirects.",
  ],
  11217: [
    "A webhook answered Twilio with an error status.",
    "Look at the gateway's log of that time, and at the proxy's before it.",
  ],
  11220: [
    "Twilio and a webhook could not agree on TLS.",
    "Check the certificate and the TLS versions of PUBLIC_BASE_URL's host.",
  ],
  11237: [
    "Twilio does not trust a webhook's certificate.",
    "Serve the whole chain of a certificate from a public authority.",
  ],
  11750: [
    "A webhook's answer was longer than the 64 kB Twilio reads.",
    "Check that it is this gateway that answers there.",
  ],
  12100: [
    "A webhook answered with something that is not XML.",
    "Check that it is this gateway that answers there, and no error page of a proxy.",
  ],
  12300: [
    "A webhook answered with a content type that Twilio does not take.",
    "Check that it is this gateway that answers there, and no error page of a proxy.",
  ],
  15003: [
    "A status callback got an answer Twilio does not like.",
    "The call itself goes on. Check that it is this gateway that answers there.",
  ],

  // Media streams
  31901: ["Twilio asked for the media stream and nobody answered.", `${OWN_ADDRESS} ${UPGRADE_PROXY}`],
  31902: ["Twilio's connection for the media stream was refused.", OWN_ADDRESS],
  31903: [
    "The media stream's connection broke in the middle of the call.",
    "Look for a restart of the gateway or proxy at that time, or a proxy that closes long connections.",
  ],
  31904: [
    "Twilio could not reach the media stream's host.",
    "Check the host name in PUBLIC_BASE_URL: it must be in public DNS with a public address.",
  ],
  31910: [
    "TLS failed for the media stream.",
    "Check the certificate: Twilio wants a public authority and the whole chain.",
  ],
  31920: ["The media stream's upgrade was answered with something else than a WebSocket.", UPGRADE_PROXY],
  31921: [
    "The connection of the media stream was closed from the gateway's side.",
    "This is how an agent ends a stream; if the call broke off instead, look at its end reason.",
  ],
  31922: [
    "The media stream's address does not begin with wss.",
    "PUBLIC_BASE_URL must be https for calls from Twilio.",
  ],
  31923: ["The media stream's address is no address.", "Check PUBLIC_BASE_URL and STREAM_BASE_URL."],
  31924: [
    "The media stream broke the WebSocket protocol.",
    "Look for a proxy that compresses or rewrites WebSocket messages and let it pass them as they are.",
  ],
  31930: [
    "The way to the gateway was too slow, and Twilio threw away some of what the caller said.",
    "Check the network and the load of the gateway and its proxy.",
  ],
  31931: ["More than ten minutes of audio waited to be played, and Twilio threw away the rest.", REPORT],
  31940: ["The media stream names a connector that Twilio doesn't know.", REPORT],
  31941: ["The media stream asks for a track that a call's stream can't have.", REPORT],
  31950: ["Twilio got a media stream message that it can't decode.", REPORT],
  31951: ["Twilio got a media stream message that it doesn't understand.", REPORT],
  31952: ["An extension of the media stream failed at Twilio.", `Read ${docsUrl(31952)}.`],
  31953: ["An extension of the media stream failed at Twilio.", `Read ${docsUrl(31953)}.`],
  31954: ["An extension of the media stream failed at Twilio.", `Read ${docsUrl(31954)}.`],
};

const SIP_TABLE: Readonly<Record<number, readonly [sentence: string, remedy: string]>> = {
  403: [
    "The other network does not allow the call.",
    "Check the caller ID and whether this destination may be called from it.",
  ],
  404: ["The number called does not exist or can't be reached.", "Check the number."],
  408: ["The other network did not answer in time.", "Try again later."],
  410: ["The number called is no longer in service.", "Check the number."],
  480: ["The phone called is switched off or out of reach.", "Try again later."],
  484: ["The number called is incomplete.", "Check it for missing digits."],
  486: ["The line was busy.", "Try again later."],
  487: [
    "Nobody answered before the ringing time was over, or the call was cancelled while it rang.",
    "Try again later, or let it ring longer.",
  ],
  488: ["The other side does not take the kind of audio offered.", TO_LOG],
  503: ["The other network had no room for the call.", "Try again later."],
  600: ["The line was busy everywhere.", "Try again later."],
  603: [
    "The call was declined, by the person called or by a filter for unwanted calls.",
    "Don't call again at once; a caller ID that is often declined should be looked into.",
  ],
  604: ["The number called does not exist anywhere.", "Check the number."],
  607: ["The person called marked the call as unwanted.", "Don't call this number again."],
  608: ["A filter for unwanted calls rejected the call.", "Look into the caller ID's reputation."],
};

const CODES = explanations(TABLE);
const SIP_CODES = explanations(SIP_TABLE);

function explanations(
  table: Readonly<Record<number, readonly [string, string]>>,
): ReadonlyMap<number, Explanation> {
  return new Map(
    Object.entries(table).map(([code, [sentence, remedy]]) => [Number(code), { sentence, remedy }]),
  );
}

function explainSipClass(code: number): Explanation {
  if (code < 500) {
    return {
      sentence: `The other side refused the call (SIP ${code}).`,
      remedy: "Check the number, then try again.",
    };
  }
  if (code < 600) {
    return { sentence: `A network on the way failed (SIP ${code}).`, remedy: "Try again later." };
  }
  return { sentence: `The call was refused everywhere (SIP ${code}).`, remedy: TO_LOG };
}
