// One call as Twilio conducts it: asks the webhook, obeys the TwiML, connects the stream, asks the action what comes
// next. Inbound calls and those placed by REST differ in their parameters and in who answers. What is said on the
// stream is not its business.
import { randomUUID } from "node:crypto";
import { Addresses } from "./addresses.ts";
import { WAIT_MS, Waits } from "./clock.ts";
import type { Complaint, ComplaintCode } from "./complaints.ts";
import { breakage, connectStream, streamUrl } from "./connection.ts";
import type { CallEnd, DialOptions, PlacedOptions, Redirection } from "./dial.ts";
import { type Document, type DocumentFault, readDocument, readTwiml } from "./documents.ts";
import { type CallStatus, inboundParams, lengthParams, outboundParams, rfc2822 } from "./params.ts";
import type { StreamOptions, TwinStream } from "./stream.ts";
import { Requests, type Switchboard } from "./switchboard.ts";
import { Timeline } from "./timeline.ts";
import type { HttpMethod, StreamNoun, Verb } from "./twiml.ts";
import { type Signing, type WebhookAnswer, WebhookError } from "./webhook.ts";

/** The gateway's webhook for inbound calls. */
export const VOICE_PATH = "/api/v1/telephony/inbound/run";
/** Fictional: 555-0100 to 555-0199 are never given to anyone. */
export const CALLER = "+14155550142";
/** After this many documents Twilio sees a loop. */
const DOCUMENTS_MAX = 10;

export class TwinCall {
  readonly sid: string;
  /** The webhook's parameters as they were sent. */
  readonly params: Readonly<Record<string, string>>;
  readonly timeline: Timeline;
  /** Resolves when the call is over; never rejects. */
  readonly ended: Promise<CallEnd>;
  /** Resolves when the call is answered; stays pending when it never is. */
  readonly answered: Promise<void>;
  /** The webhook's answer; undefined before it, and when none came. */
  webhook: WebhookAnswer | undefined;
  /** The call's stream, as soon as the TwiML connects one. */
  stream: TwinStream | undefined;
  /** Called for each stream as the TwiML connects it. */
  onStream: (stream: TwinStream) => void = () => {};

  readonly #switchboard: Switchboard;
  readonly #options: DialOptions & Partial<PlacedOptions>;
  readonly #voiceUrl: string;
  readonly #idempotencyToken = randomUUID();
  readonly #waits: Waits;
  readonly #requests: Requests;
  readonly #settle: (end: CallEnd) => void;
  readonly #pickedUp: () => void;
  #document: Document | undefined;
  #streamOptions: StreamOptions = {};
  #isObeying = false;
  #end: CallEnd | undefined;
  #answeredMs: number | undefined;
  /** How the call will have ended once what is going on has stopped: someone hung up. */
  #leaving: Pick<CallEnd, "how" | "reason"> | undefined;
  #redirection: Redirection | undefined;
  /** The first thing that broke. */
  #broken: string | undefined;

  constructor(
    switchboard: Switchboard,
    options: DialOptions | PlacedOptions,
    direction: "inbound" | "outbound-api" = "inbound",
  ) {
    const { accountSid } = switchboard.account;
    this.#switchboard = switchboard;
    this.#options = options;
    this.#voiceUrl = options.voiceUrl ?? switchboard.addresses.publicBase + VOICE_PATH;
    this.sid = options.callSid ?? switchboard.newSid("CA");
    const facts = { accountSid, callSid: this.sid, from: options.from ?? CALLER, to: options.to };
    const standard = direction === "inbound" ? inboundParams(facts) : outboundParams(facts);
    this.params = { ...standard, ...options.params };
    this.timeline = new Timeline(switchboard.ticker.clock);
    this.#waits = new Waits(switchboard.ticker);
    this.#requests = new Requests(switchboard, this.sid);
    const ended = Promise.withResolvers<CallEnd>();
    this.ended = ended.promise;
    this.#settle = ended.resolve;
    const answered = Promise.withResolvers<void>();
    this.answered = answered.promise;
    this.#pickedUp = answered.resolve;
  }

  /** Twilio's complaints about this call and its streams. */
  get complaints(): readonly Complaint[] {
    return this.timeline.complaints;
  }

  /** The verbs of the webhook's answer. */
  get verbs(): readonly Verb[] {
    return this.#document?.verbs ?? [];
  }

  /** How it ended, as soon as it has. */
  get end(): CallEnd | undefined {
    return this.#end;
  }

  /** When it was answered, on its own axis. */
  get answeredMs(): number | undefined {
    return this.#answeredMs;
  }

  /** Sends the webhook and reads the TwiML, which is obeyed only once the call is answered. `params` come on top. */
  async ring(params: Readonly<Record<string, string>> = {}): Promise<void> {
    const { twiml, voiceMethod = "POST", signing = "valid" } = this.#options;
    if (twiml === undefined) {
      this.#document = await this.#fetch(
        "webhook",
        this.#voiceUrl,
        voiceMethod,
        { ...this.params, ...params },
        signing,
      );
    } else {
      this.#document = this.#taken(readTwiml(twiml, this.#switchboard.addresses.publicBase));
    }
    if (this.#document !== undefined) return;
    const status = this.webhook?.status ?? 0;
    const isRefused = status >= 400 && status < 500;
    if (isRefused) this.#over("refused", this.#failure, `the webhook was answered with ${status}`);
    else this.#over("failed", this.#failure);
  }

  /** Begins to obey the TwiML; resolves when the stream has begun, and rejects if the call ends without one. */
  async connect(options: StreamOptions = {}, timeoutMs = 2 * WAIT_MS): Promise<TwinStream> {
    this.answer(options);
    const stream = await this.#waits.until("the call's stream", () => this.stream, timeoutMs);
    await stream.opened;
    return stream;
  }

  /** The call is answered; what was answered is obeyed later, by `answer`. */
  pickUp(): void {
    if (this.#answeredMs !== undefined || this.#end !== undefined) return;
    this.#answeredMs = this.timeline.nowMs();
    this.#pickedUp();
  }

  /** Begins to obey the TwiML. `options` are those of the streams it connects. */
  answer(options: StreamOptions = {}): void {
    if (this.#document === undefined || this.#isObeying) return;
    this.#isObeying = true;
    this.#streamOptions = options;
    if (!willReject(this.#document)) this.pickUp();
    void this.#obey(this.#document);
  }

  /** The caller hangs up; resolves when the call is over, the action included. */
  hangUp(): Promise<CallEnd> {
    return this.#leave({ how: "caller", reason: "" }, "canceled");
  }

  /** Twilio ends the call because it was told to by REST, or because a limit was reached, which is the reason. */
  finish(reason = ""): Promise<CallEnd> {
    return this.#leave({ how: reason === "" ? "agent" : "failed", reason }, "canceled");
  }

  /** The call ends before anyone answered it, in this way. */
  refuse(status: CallStatus, reason: string): void {
    this.#over("refused", status, reason);
  }

  /** Other TwiML takes the place of what is being obeyed, and ends its stream. */
  redirect(redirection: Redirection): void {
    this.#redirection = redirection;
    this.#waits.check();
    void this.stream?.stop();
  }

  /** Sends the same webhook again, as Twilio does after a failed connection; the answer is not obeyed. */
  repeatWebhook(): Promise<WebhookAnswer> {
    const idempotencyToken = this.#idempotencyToken;
    return this.#requests.send(this.#voiceUrl, this.#options.voiceMethod ?? "POST", this.params, {
      idempotencyToken,
    });
  }

  /** Posts the number's StatusCallback with the call's terminal status, or with another. */
  reportStatus(url: string, status: CallStatus = this.#end?.status ?? "completed"): Promise<WebhookAnswer> {
    const nowMs = this.timeline.nowMs();
    const params = {
      ...this.params,
      CallStatus: status,
      Timestamp: rfc2822(this.#switchboard.ticker.clock.wallMs()),
      CallbackSource: "call-progress-events",
      SequenceNumber: "0",
      ...lengthParams(nowMs - (this.#answeredMs ?? nowMs)),
    };
    return this.#requests.send(url, "POST", params);
  }

  /** Ends the call as failed and cuts its stream; resolves when nothing of it goes on. */
  async abandon(): Promise<void> {
    this.#over("failed", "failed", "the twin was closed");
    await this.stream?.break("cut");
    await this.settled();
  }

  /** Resolves when everything requested so far, stream status callbacks included, has been answered or given up. */
  settled(): Promise<void> {
    return this.#requests.settled();
  }

  #leave(leaving: Pick<CallEnd, "how" | "reason">, unanswered: CallStatus): Promise<CallEnd> {
    if (this.#leaving !== undefined) return this.ended;
    this.#leaving = leaving;
    this.#waits.check();
    if (this.#answeredMs === undefined) this.#over(leaving.how, unanswered, leaving.reason);
    else if (!this.#isObeying) this.#over(leaving.how, "completed", leaving.reason);
    void this.stream?.stop();
    return this.ended;
  }

  async #obey(first: Document): Promise<void> {
    let document: Document | undefined = first;
    for (let documents = 1; document !== undefined && this.#end === undefined; documents++) {
      if (documents > DOCUMENTS_MAX) {
        this.#complain(11215);
        break;
      }
      document = (await this.#obeyDocument(document, documents === 1)) ?? (await this.#redirected());
    }
    if (this.#leaving !== undefined) this.#over(this.#leaving.how, "completed", this.#leaving.reason);
    else this.#over(this.#broken === undefined ? "agent" : "failed", "completed");
  }

  /** The document that comes next; undefined when the call is over or was redirected. */
  async #obeyDocument(document: Document, isFirst: boolean): Promise<Document | undefined> {
    const { verbs, url } = document;
    for (const verb of verbs) {
      if (this.#mustStop()) return undefined;
      switch (verb.verb) {
        case "Reject":
          if (isFirst && willReject(document) && this.#answeredMs === undefined) {
            this.#over("refused", verb.reason === "busy" ? "busy" : "no-answer", verb.reason);
          }
          return undefined;
        case "Hangup":
          return undefined;
        case "Say":
        case "Play":
          break; // takes no time here: what it sounds like is not what is tested
        case "Pause":
          await this.#pause(verb.lengthS * 1_000);
          break;
        case "Redirect":
          return this.#askNext(verb.url, url, verb.method, "in-progress");
        case "Connect": {
          await this.#connectStream(verb.stream, url);
          if (verb.action === undefined || this.#redirection !== undefined) break;
          return this.#follow(verb.action, url, verb.method);
        }
      }
    }
    return undefined;
  }

  #mustStop(): boolean {
    return this.#leaving !== undefined || this.#end !== undefined || this.#redirection !== undefined;
  }

  /** The document that REST has put in place of the last one. */
  async #redirected(): Promise<Document | undefined> {
    const redirection = this.#redirection;
    this.#redirection = undefined;
    if (redirection === undefined || this.#leaving !== undefined || this.#end !== undefined) return undefined;
    if ("url" in redirection) return this.#ask(redirection.url, redirection.method, "in-progress");
    return this.#taken(readTwiml(redirection.twiml, this.#switchboard.addresses.publicBase));
  }

  /** The action of a Connect that is over. */
  async #follow(action: string, documentUrl: string, method: HttpMethod): Promise<Document | undefined> {
    if (this.#end !== undefined) return undefined;
    if (this.#leaving === undefined) return this.#askNext(action, documentUrl, method, "in-progress");
    if (this.#options.actionAfterHangUp ?? true)
      await this.#askNext(action, documentUrl, method, "completed");
    return undefined;
  }

  /** What a document names as the next one, perhaps relative to its own address. */
  async #askNext(
    reference: string,
    documentUrl: string,
    method: HttpMethod,
    callStatus: CallStatus,
  ): Promise<Document | undefined> {
    if (!URL.canParse(reference, documentUrl)) return this.#complain(11100, reference);
    return this.#ask(Addresses.resolve(reference, documentUrl), method, callStatus);
  }

  #ask(url: string, method: HttpMethod, callStatus: CallStatus): Promise<Document | undefined> {
    return this.#fetch("action", url, method, { ...this.params, CallStatus: callStatus });
  }

  async #connectStream(noun: StreamNoun, documentUrl: string): Promise<void> {
    const publicUrl = streamUrl(noun, documentUrl);
    if (typeof publicUrl !== "string") return this.#complain(publicUrl.code, publicUrl.detail);
    const { sid, timeline } = this;
    const call = { sid, timeline, requests: this.#requests, switchboard: this.#switchboard };
    const stream = connectStream(call, noun, publicUrl, documentUrl, this.#streamOptions);
    this.stream = stream;
    this.#waits.check();
    this.onStream(stream);
    this.#broken ??= breakage(await stream.ended);
  }

  /** A document, from the fallback where the first can't be had; undefined when there is none, which breaks the call. */
  async #fetch(
    kind: "webhook" | "action",
    url: string,
    method: HttpMethod,
    params: Readonly<Record<string, string>>,
    signing: Signing = "valid",
  ): Promise<Document | undefined> {
    const document = await this.#request(kind, url, method, params, signing);
    const { voiceFallbackUrl, voiceFallbackMethod = "POST" } = this.#options;
    if ("verbs" in document || !voiceFallbackUrl || this.#end !== undefined) return this.#taken(document);
    this.timeline.complain(document.code, document.detail);
    const error = { ErrorCode: String(document.code), ErrorUrl: url.replace(/#.*$/s, "") };
    return this.#taken(
      await this.#request(kind, voiceFallbackUrl, voiceFallbackMethod, { ...params, ...error }, "valid"),
    );
  }

  async #request(
    kind: "webhook" | "action",
    url: string,
    method: HttpMethod,
    params: Readonly<Record<string, string>>,
    signing: Signing,
  ): Promise<Document | DocumentFault> {
    const sentMs = this.timeline.nowMs();
    const idempotencyToken = url === this.#voiceUrl ? this.#idempotencyToken : randomUUID();
    const answer = await this.#requests
      .send(url, method, params, { signing, idempotencyToken })
      .catch(failure);
    const isAnswer = !(answer instanceof WebhookError);
    const told = { status: isAnswer ? answer.status : 0, tookMs: this.timeline.nowMs() - sentMs };
    if (kind === "webhook") {
      this.webhook = isAnswer ? answer : undefined;
      this.timeline.add({ kind, to: url, ...told });
    } else this.timeline.add({ kind, callStatus: params.CallStatus!, ...told });
    return isAnswer ? readDocument(answer, url) : { code: 11205, detail: answer.message };
  }

  #taken(document: Document | DocumentFault): Document | undefined {
    if ("code" in document) return this.#complain(document.code, document.detail);
    this.timeline.add({ kind: "twiml", verbs: document.verbs });
    return document;
  }

  /** What breaks a call, unlike what is only warned of. */
  #complain(code: ComplaintCode, detail?: string): undefined {
    const { text } = this.timeline.complain(code, detail);
    this.#broken ??= text;
  }

  /** The status of a call whose TwiML could not be had. */
  get #failure(): CallStatus {
    return this.#answeredMs === undefined ? "failed" : "completed";
  }

  /** Waits, but not for a caller who hangs up. */
  async #pause(ms: number): Promise<void> {
    const untilMs = this.timeline.nowMs() + ms;
    const isOver = () => this.#mustStop() || this.timeline.nowMs() >= untilMs || undefined;
    await this.#waits.until("the pause to end", isOver, ms + WAIT_MS).catch(() => {});
  }

  #over(how: CallEnd["how"], status: CallStatus, reason = this.#broken ?? ""): void {
    if (this.#end !== undefined) return;
    this.#end = { how, status, reason: reason || (this.#broken ?? "") };
    this.#waits.end(`the call was over (${how}${reason && `: ${reason}`})`);
    this.#settle(this.#end);
  }
}

/** Whether a document says no to the call: <Reject> as its first verb. */
function willReject({ verbs }: Document): boolean {
  return verbs[0]?.verb === "Reject";
}

function failure(error: unknown): WebhookError {
  if (error instanceof WebhookError) return error;
  throw error;
}
