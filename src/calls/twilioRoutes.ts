// The routes Twilio calls: the inbound webhook and what follows it. Each checks the signature before anything
// else is looked at, and each may be asked twice.
import type { Clock } from "../domain/clock.ts";
import type { Refusal } from "../domain/endings.ts";
import { GatewayError } from "../domain/errors.ts";
import { AccountSid, type RunId } from "../domain/ids.ts";
import type { Handler, HttpRequest, HttpResponse, Route } from "../http/http.ts";
import { detail } from "../http/respond.ts";
import { readAddress } from "../numbers/address.ts";
import type { Directory, Route as NumberRoute } from "../numbers/directory.ts";
import { type FormParams, param, parseForm } from "../twilio/forms.ts";
import { isSignedBy } from "../twilio/signature.ts";
import { connectStream } from "../twilio/twiml.ts";
import { isTerminal, readStreamStatus, readVoiceWebhook, type VoiceWebhook } from "../twilio/voiceWebhook.ts";
import { answerAfter, refuse, sayGoodbye, type TwimlAnswer } from "./farewell.ts";
import type { LiveCall } from "./liveCall.ts";
import type { LiveCalls } from "./liveCalls.ts";
import type { CallObserver, WebhookAnswer } from "./observer.ts";
import type { CallFacts, CallRecords } from "./records.ts";

const INBOUND = "/api/v1/telephony/inbound/run";
const TWILIO = "/api/v1/telephony/twilio";

export interface TwilioRouteParts {
  readonly calls: LiveCalls;
  readonly records: CallRecords;
  readonly directory: Directory;
  readonly observer: CallObserver;
  readonly clock: Clock;
  /** What Twilio sees of us: origin and prefix, without a trailing slash. */
  readonly publicBase: () => string;
}

/** What a handler says: TwiML, or a note taken, or that the request is not one. */
type Said = TwimlAnswer | { readonly answer: "noted" | "malformed" };
type Rule = (webhook: VoiceWebhook, params: FormParams, request: HttpRequest) => Said;

export function twilioRoutes(parts: TwilioRouteParts): readonly Route[] {
  const { calls, records, directory, observer, clock, publicBase } = parts;

  const signed =
    (rule: Rule): Handler =>
    (request) => {
      const askedMs = clock.nowMs();
      const { answer, response } = judge(rule, request);
      observer.webhookAnswered(answer, clock.nowMs() - askedMs);
      return response;
    };

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
    if (webhook !== undefined && isAnothersCall(webhook)) return forbidden;
    const said: Said = webhook === undefined ? { answer: "malformed" } : rule(webhook, params, request);
    return { answer: said.answer, response: responseOf(said) };
  }

  const answerInbound: Rule = (webhook) => {
    const { callSid, accountSid, callStatus, direction, toNumber } = webhook;
    const known = calls.find(callSid);
    if (isTerminal(callStatus)) {
      known?.apply({ type: "caller_left" });
      return { answer: "noted" };
    }
    if (direction !== "inbound") return sayGoodbye("hang_up");
    if (known !== undefined && known.state.name !== "ended") return { twiml: known.twiml, answer: "repeat" };
    const outcome = records.find(callSid)?.outcome;
    if (outcome !== undefined) return answerAfter(outcome);

    const route = directory.route(accountSid, toNumber ?? sipAddressIn(webhook.to));
    const atMs = clock.wallMs();
    const run = records.open(factsOf(webhook, route), atMs);
    records.append(run, { atMs, kind: "received" });
    if ("refusal" in route) return refuseCall(webhook, run, route.refusal);
    const refusal = calls.refusal();
    if (refusal !== undefined) return refuseCall(webhook, run, refusal);
    const { from, to } = webhook;
    const live = calls.admit({ run, callSid, accountSid, direction, from, to }, route.agent, connect);
    return { twiml: live.twiml, answer: "connect" };
  };

  function connect(run: RunId, streamUrl: string): string {
    return connectStream({
      streamUrl,
      statusCallbackUrl: `${publicBase()}${TWILIO}/stream-status/${run}`,
      actionUrl: `${publicBase()}${TWILIO}/stream-ended/${run}`,
    });
  }

  function refuseCall({ callSid }: VoiceWebhook, run: RunId, refusal: Refusal): TwimlAnswer {
    const atMs = clock.wallMs();
    records.update(run, { outcome: refusal, endedBy: "gateway", endedAtMs: atMs });
    records.append(run, { atMs, kind: "ended", detail: refusal });
    observer.ended({ callSid, run }, "inbound", refusal, 0);
    return refuse(refusal);
  }

  const afterStream: Rule = (webhook, _params, request) => {
    const call = callOf(webhook, request);
    call?.apply(isTerminal(webhook.callStatus) ? { type: "caller_left" } : { type: "stream_over" });
    const outcome = recordOf(webhook, request)?.outcome;
    // A run nobody knows is one that a restart has forgotten: the caller is still owed a word.
    return outcome === undefined ? sayGoodbye("apologize") : answerAfter(outcome);
  };

  const noteStreamStatus: Rule = (webhook, params, request) => {
    const record = recordOf(webhook, request);
    const status = readStreamStatus(params);
    if (record !== undefined && status !== undefined) {
      const words = status.error === undefined ? status.event : `${status.event}: ${status.error}`;
      records.append(record.run, { atMs: clock.wallMs(), kind: "stream_status", detail: words });
    }
    return { answer: "noted" };
  };

  const noteCallStatus: Rule = ({ callSid, callStatus }) => {
    if (isTerminal(callStatus)) calls.find(callSid)?.apply({ type: "caller_left" });
    return { answer: "noted" };
  };

  /** Twilio could not get TwiML from us. Why, it says in a code, which the record keeps. */
  const fallBack: Rule = ({ callSid }, params) => {
    const record = records.find(callSid);
    const code = param(params, "ErrorCode") ?? "";
    const words = /^\d{1,6}$/.test(code) ? code : "no code";
    if (record !== undefined)
      records.append(record.run, { atMs: clock.wallMs(), kind: "fallback", detail: words });
    observer.hint(
      `Twilio asked for the fallback (${words})`,
      "look the code up in Twilio's error dictionary; it could not get an answer from the inbound webhook",
    );
    return sayGoodbye("apologize");
  };

  /** A call belongs to one account: to another's signature it is no more than to none. */
  function isAnothersCall({ callSid, accountSid }: VoiceWebhook): boolean {
    const record = records.find(callSid);
    return record !== undefined && record.accountSid !== accountSid;
  }

  function recordOf(webhook: VoiceWebhook, request: HttpRequest) {
    const record = records.get(Number(request.params.run) as RunId);
    return record?.callSid === webhook.callSid ? record : undefined;
  }

  function callOf(webhook: VoiceWebhook, request: HttpRequest): LiveCall | undefined {
    const call = calls.find(webhook.callSid);
    return call?.run === Number(request.params.run) ? call : undefined;
  }

  const post = (path: string, rule: Rule): Route => ({ method: "POST", path, handle: signed(rule) });
  return [
    post(INBOUND, answerInbound),
    post("/api/v1/telephony/inbound/fallback", fallBack),
    post(`${TWILIO}/stream-ended/{run}`, afterStream),
    post(`${TWILIO}/stream-status/{run}`, noteStreamStatus),
    post(`${TWILIO}/status-callback`, noteCallStatus),
  ];
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
  if ("twiml" in said) {
    return { status: 200, headers: { "content-type": "text/xml; charset=utf-8" }, body: said.twiml };
  }
  return detail(400, "CallSid and AccountSid are wanted, once each");
}

function factsOf(webhook: VoiceWebhook, route: NumberRoute): CallFacts {
  const { callSid, accountSid, from, to, stirVerstat, forwardedFrom, callerName } = webhook;
  return {
    callSid,
    accountSid,
    direction: "inbound",
    from,
    to,
    configurationId: route.configurationId,
    numberId: route.numberId,
    workflowId: "workflowId" in route ? route.workflowId : undefined,
    workflowVersion: "workflowId" in route ? route.workflowVersion : undefined,
    definitionId: "workflowId" in route ? route.definitionId : undefined,
    stirVerstat,
    forwardedFrom,
    callerName,
  };
}

/** The SIP address that was dialled, in the form it is stored and compared in. */
function sipAddressIn(address: string): string | undefined {
  if (!/^sips?:/i.test(address)) return undefined;
  const read = readAddress(address);
  return "ok" in read ? read.ok.normalized : undefined;
}
