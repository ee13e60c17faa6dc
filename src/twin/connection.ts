// The media stream that a document's <Connect> asks for: where it goes, what is told about it, how it broke. What
// comes after it is the call's business.
import { Addresses } from "./addresses.ts";
import type { Complaint, ComplaintCode } from "./complaints.ts";
import type { StreamEnd } from "./socket.ts";
import { type StreamOptions, TwinStream } from "./stream.ts";
import type { Requests, Switchboard } from "./switchboard.ts";
import type { Timeline } from "./timeline.ts";
import type { StreamNoun } from "./twiml.ts";
import type { WebhookError } from "./webhook.ts";

/** RFC 6455 section 7.4.1: what a stream was opened for is done. */
const NORMAL_CLOSE = 1000;

/** The call that a stream is connected for. */
export interface ConnectedCall {
  readonly sid: string;
  readonly timeline: Timeline;
  readonly requests: Requests;
  readonly switchboard: Switchboard;
}

/** Why no stream is tried. */
export interface StreamFault {
  readonly code: ComplaintCode;
  readonly detail: string;
}

/** The address to sign and connect to. */
export function streamUrl(noun: StreamNoun, documentUrl: string): string | StreamFault {
  const base = documentUrl.replace(/^http/, "ws");
  const url = URL.canParse(noun.url, base) ? Addresses.resolve(noun.url, base) : undefined;
  if (url === undefined) return { code: 31923, detail: noun.url };
  if (noun.track !== "inbound_track") return { code: 31941, detail: noun.track };
  // Plain ws is for a gateway that is itself reached by plain http, on this machine.
  const isExpected = url.startsWith("wss://") || (url.startsWith("ws://") && base.startsWith("ws://"));
  if (!isExpected) return { code: 31922, detail: url };
  return url.replace(/\?.*$/s, ""); // Twilio drops the query without a word
}

/** Connects the stream, and tells the noun's statusCallback how it fares. */
export function connectStream(
  call: ConnectedCall,
  noun: StreamNoun,
  publicUrl: string,
  documentUrl: string,
  options: StreamOptions,
): TwinStream {
  const { account, addresses, ticker } = call.switchboard;
  const streamSid = call.switchboard.newSid("MZ");
  const facts = {
    accountSid: account.accountSid,
    authToken: account.authToken,
    callSid: call.sid,
    streamSid,
    publicUrl,
    dialUrl: addresses.dialable(publicUrl),
    parameters: noun.parameters,
    firstTimestampMs: call.switchboard.firstTimestampMs(),
  };
  const report = (event: string, complaint?: Complaint) =>
    reportStream(call, noun, documentUrl, streamSid, event, complaint);
  const stream = new TwinStream(facts, call.timeline, ticker, options, (complaint) =>
    report("stream-error", complaint),
  );
  stream.opened.then(
    () => report("stream-started"),
    () => {},
  );
  void stream.ended.then(({ opened }) => {
    if (opened) report("stream-stopped");
  });
  return stream;
}

/** What an end says is broken; undefined for an ordinary one. */
export function breakage(end: StreamEnd): string | undefined {
  if (!end.opened || end.by === "network") return end.reason || "the stream's connection broke";
  const isAbnormal = end.by === "gateway" && end.code !== NORMAL_CLOSE;
  return isAbnormal ? `the gateway closed the stream with code ${end.code}` : undefined;
}

function reportStream(
  { sid, timeline, requests, switchboard }: ConnectedCall,
  noun: StreamNoun,
  documentUrl: string,
  streamSid: string,
  event: string,
  complaint: Complaint | undefined,
): void {
  if (noun.statusCallback === undefined) return;
  if (!URL.canParse(noun.statusCallback, documentUrl)) {
    timeline.complain(11100, noun.statusCallback);
    return;
  }
  const url = Addresses.resolve(noun.statusCallback, documentUrl);
  const params = {
    AccountSid: switchboard.account.accountSid,
    CallSid: sid,
    StreamSid: streamSid,
    StreamName: noun.name ?? streamSid,
    StreamEvent: event,
    ...(complaint && { StreamError: `${complaint.code} - ${complaint.text}` }),
    Timestamp: new Date(switchboard.ticker.clock.wallMs()).toISOString(),
  };
  requests.send(url, noun.statusCallbackMethod, params).then(
    ({ status }) => {
      if (status < 200 || status > 299) timeline.complain(15003, `${event}: ${status}`);
    },
    (error: WebhookError) => timeline.complain(15003, `${event}: ${error.message}`),
  );
}
