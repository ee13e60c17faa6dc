// What a call is begun with, what it can be told, and how it ends.
import type { CallStatus } from "./params.ts";
import type { HttpMethod } from "./twiml.ts";
import type { Signing } from "./webhook.ts";

export interface DialOptions {
  /** The number that is called. */
  readonly to: string;
  readonly from?: string;
  readonly callSid?: string;
  /** Parameters of the webhook, on top of Twilio's or in place of them. */
  readonly params?: Readonly<Record<string, string>>;
  readonly signing?: Signing;
  /** The number's VoiceUrl; by default the gateway's inbound webhook under the public base. */
  readonly voiceUrl?: string;
  readonly voiceMethod?: HttpMethod;
  /** Asked instead when a document can't be had, with ErrorCode and ErrorUrl. */
  readonly voiceFallbackUrl?: string;
  readonly voiceFallbackMethod?: HttpMethod;
  /** False: the action is not requested after the caller hung up. */
  readonly actionAfterHangUp?: boolean;
}

/** A call placed by REST: answered before its TwiML is asked for. */
export interface PlacedOptions extends DialOptions {
  readonly from: string;
  /** The TwiML itself; nothing is fetched then. */
  readonly twiml?: string;
}

export interface CallEnd {
  /** Who ended it: "refused" before it was answered, "failed" because something broke. */
  readonly how: "caller" | "agent" | "refused" | "failed";
  readonly status: CallStatus;
  /** What broke or why it was refused; empty where nothing is to be said. */
  readonly reason: string;
}

/** What a live call is told to do instead of what it does. */
export type Redirection = { readonly url: string; readonly method: HttpMethod } | { readonly twiml: string };
