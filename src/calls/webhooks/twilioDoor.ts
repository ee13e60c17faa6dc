// What every route that Twilio calls has in common: the signature is checked before anything else is looked at, and a
// call is only ever told of to the account that has it.
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import { AccountSid, RunId } from "../../domain/ids.ts";
import type { Handler, HttpRequest, HttpResponse } from "../../http/http.ts";
import { detail } from "../../http/respond.ts";
import type { Directory } from "../../numbers/directory.ts";
import { type FormParams, param, parseForm } from "../../twilio/forms.ts";
import { isSignedBy } from "../../twilio/signature.ts";
import { readVoiceWebhook, type VoiceWebhook } from "../../twilio/voiceWebhook.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";
import type { CallObserver, WebhookAnswer } from "../observer.ts";
import type { TwimlAnswer } from "./farewell.ts";

export interface DoorParts {
  readonly records: CallRecords;
  readonly directory: Pick<Directory, "tokensOf">;
  readonly observer: CallObserver;
  readonly clock: Clock;
  /** What Twilio sees of us: origin and prefix, without a trailing slash. */
  readonly publicBase: () => string;
}

/** What a handler says: TwiML, or a note taken, or that the request is not one, or not the account's. */
export type Said = TwimlAnswer | { readonly answer: "noted" | "malformed" | "forbidden" };

/** A signed request. */
export interface Asked {
  readonly webhook: VoiceWebhook;
  readonly params: FormParams;
  /** In the path; not a number of any run where there is none. */
  readonly run: RunId;
}

/** Answers at once: Twilio waits, and whoever has picked up waits with it. */
export type Rule = (asked: Asked) => Said;

/** Makes handlers of rules. */
export function twilioDoor(parts: DoorParts): (rule: Rule) => Handler {
  const { records, directory, observer, clock, publicBase } = parts;

  function judge(rule: Rule, request: HttpRequest): { answer: WebhookAnswer; response: HttpResponse } {
    const forbidden = { answer: "forbidden", response: { status: 403 } } as const;
    const signature = request.headers.get("x-twilio-signature");
    if (signature === undefined) return forbidden;
    const params = formOf(request.body);
    if (params === undefined) return forbidden;
    const tokens = directory.tokensOf(AccountSid(param(params, "AccountSid") ?? ""));
    const query = request.query === undefined ? "" : `?${request.query}`;
    if (!isSignedBy(tokens, signature, `${publicBase()}${request.path}${query}`, params)) return forbidden;
    const webhook = readVoiceWebhook(params);
    if (webhook === undefined) return { answer: "malformed", response: responseOf({ answer: "malformed" }) };
    if (isAnothersCall(records.find(webhook.callSid), webhook)) return forbidden;
    const said = rule({ webhook, params, run: RunId(Number(request.params.run)) });
    return { answer: said.answer, response: responseOf(said) };
  }

  return (rule) => (request) => {
    const askedMs = clock.nowMs();
    const { answer, response } = judge(rule, request);
    observer.webhookAnswered(answer, clock.nowMs() - askedMs);
    return response;
  };
}

/** A call belongs to one account: to another's signature it is no more than to none. */
export function isAnothersCall(record: CallRecord | undefined, { accountSid }: VoiceWebhook): boolean {
  return record !== undefined && record.accountSid !== accountSid;
}

/** Undefined when it is too long to be Twilio's, and so can't be signed by it. */
function formOf(body: Uint8Array): FormParams | undefined {
  try {
    return parseForm(body);
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

function responseOf(said: Said): HttpResponse {
  if (said.answer === "noted") return { status: 204 };
  if (said.answer === "forbidden") return { status: 403 };
  if ("twiml" in said) {
    return { status: 200, headers: { "content-type": "text/xml; charset=utf-8" }, body: said.twiml };
  }
  return detail(400, "CallSid and AccountSid are wanted, once each");
}
