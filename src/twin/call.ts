// One inbound call as Twilio conducts it: asks the webhook, obeys the TwiML, connects the stream, asks the action
// what comes next. What is said on the stream is not its business.
import { randomUUID } from "node:crypto";
import { Addresses } from "./addresses.ts";
import { type Ticker, WAIT_MS, Waits } from "./clock.ts";
import type { Complaint, ComplaintCode } from "./complaints.ts";
import { type CallStatus, inboundParams } from "./params.ts";
import type { StreamEnd } from "./socket.ts";
import { type StreamOptions, TwinStream } from "./stream.ts";
import { Timeline } from "./timeline.ts";
import { type HttpMethod, parseTwiml, type StreamNoun, TwimlError, type Verb } from "./twiml.ts";
import { type Signing, sendWebhook, TWIML_MAX_BYTES, type WebhookAnswer, WebhookError } from "./webhook.ts";

export interface Account {
  readonly accountSid: string;
  readonly authToken: string;
}

/** What calls need of the twin they belong to. */
export interface Switchboard {
  readonly account: Account;
  readonly addresses: Addresses;
  readonly ticker: Ticker;
  /** A new id of Twilio's form: the prefix and 32 hex digits. */
  newSid(prefix: "CA" | "MZ"): string;
  /** Between 60 and 200, as Twilio's are. */
  firstTimestampMs(): number;
}

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
  /** False: the action is not requested after the caller hung up. */
  readonly actionAfterHangUp?: boolean;
}

export interface CallEnd {
  /** Who ended it: "refused" before it was answered, "failed" because something broke. */
  readonly how: "caller" | "agent" | "refused" | "failed";
  readonly status: CallStatus;
  /** What broke or why it was refused; empty where nothing is to be said. */
  readonly reason: string;
}

/** The gateway's webhook for inbound calls. */
export const VOICE_PATH = "/api/v1/telephony/inbound/run";
/** Fictional: 555-0100 to 555-0199 are never given to anyone. */
export const CALLER = "+14155550142";
/** After this many documents Twilio sees a loop. */
const DOCUMENTS_MAX = 10;
/** RFC 6455 section 7.4.1: what a stream was opened for is done. */
const NORMAL_CLOSE = 1000;
const TWIML_TYPES = ["text/xml", "application/xml", "text/html"];

/** A document's verbs, and the address that relative ones in it are relative to. */
interface Document {
  readonly verbs: readonly Verb[];
  readonly url: string;
}

export class TwinCall {
  readonly sid: string;
  /** The webhook's parameters as they were sent. */
  readonly params: Readonly<Record<string, string>>;
  readonly timeline: Timeline;
  /** Resolves when the call is over; never rejects. */
  readonly ended: Promise<CallEnd>;
  /** The webhook's answer; undefined before it, and when none came. */
  webhook: WebhookAnswer | undefined;
  /** The call's stream, as soon as the TwiML connects one. */
  stream: TwinStream | undefined;

  readonly #switchboard: Switchboard;
  readonly #options: DialOptions;
  readonly #voiceUrl: string;
  readonly #idempotencyToken = randomUUID();
  readonly #waits: Waits;
  readonly #settle: (end: CallEnd) => void;
  /** Requests that have not been answered yet. */
  readonly #inFlight = new Set<Promise<WebhookAnswer>>();
  #document: Document | undefined;
  #streamOptions: StreamOptions = {};
  #end: CallEnd | undefined;
  #answeredMs: number | undefined;
  #hungUp = false;
  /** The first thing that broke. */
  #broken: string | undefined;

  constructor(switchboard: Switchboard, options: DialOptions) {
    const { accountSid } = switchboard.account;
    this.#switchboard = switchboard;
    this.#options = options;
    this.#voiceUrl = options.voiceUrl ?? switchboard.addresses.publicBase + VOICE_PATH;
    this.sid = options.callSid ?? switchboard.newSid("CA");
    const facts = { accountSid, callSid: this.sid, from: options.from ?? CALLER, to: options.to };
    this.params = { ...inboundParams(facts), ...options.params };
    this.timeline = new Timeline(switchboard.ticker.clock);
    this.#waits = new Waits(switchboard.ticker);
    const { promise, resolve } = Promise.withResolvers<CallEnd>();
    this.ended = promise;
    this.#settle = resolve;
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

  /** Sends the webhook and reads the TwiML, which is obeyed only once the call is answered. */
  async ring(): Promise<void> {
    const { voiceMethod = "POST", signing = "valid" } = this.#options;
    const sentMs = this.timeline.nowMs();
    const answer = await this.#ask(this.#voiceUrl, voiceMethod, this.params, signing);
    this.webhook = answer;
    const tookMs = this.timeline.nowMs() - sentMs;
    this.timeline.add({ kind: "webhook", to: this.#voiceUrl, status: answer?.status ?? 0, tookMs });
    this.#document = this.#read(answer, this.#voiceUrl);
    if (this.#document !== undefined) return;
    const status = answer?.status ?? 0;
    if (status >= 400 && status < 500)
      this.#over("refused", "failed", `the webhook was answered with ${status}`);
    else this.#over("failed", "failed");
  }

  /** Begins to obey the TwiML; resolves when the stream has begun, and rejects if the call ends without one. */
  async connect(options: StreamOptions = {}, timeoutMs = 2 * WAIT_MS): Promise<TwinStream> {
    this.answer(options);
    const stream = await this.#waits.until("the call's stream", () => this.stream, timeoutMs);
    await stream.opened;
    return stream;
  }

  /** Begins to obey the TwiML. `options` are those of the streams it connects. */
  answer(options: StreamOptions = {}): void {
    if (this.#document === undefined || this.#answeredMs !== undefined) return;
    this.#answeredMs = this.timeline.nowMs();
    this.#streamOptions = options;
    void this.#obey(this.#document);
  }

  /** The caller hangs up; resolves when the call is over, the action included. */
  hangUp(): Promise<CallEnd> {
    if (this.#hungUp) return this.ended;
    this.#hungUp = true;
    this.#waits.check();
    if (this.#answeredMs === undefined) this.#over("caller", "canceled");
    void this.stream?.stop();
    return this.ended;
  }

  /** Sends the same webhook again, as Twilio does after a failed connection; the answer is not obeyed. */
  repeatWebhook(): Promise<WebhookAnswer> {
    return this.#send(this.#voiceUrl, this.#options.voiceMethod ?? "POST", this.params, "valid");
  }

  /** Posts the number's StatusCallback with the call's terminal status, or with another. */
  reportStatus(url: string, status: CallStatus = this.#end?.status ?? "completed"): Promise<WebhookAnswer> {
    const seconds = Math.ceil((this.timeline.nowMs() - (this.#answeredMs ?? this.timeline.nowMs())) / 1_000);
    const params = {
      ...this.params,
      CallStatus: status,
      Timestamp: new Date(this.#switchboard.ticker.clock.wallMs()).toUTCString(),
      CallbackSource: "call-progress-events",
      SequenceNumber: "0",
      Duration: String(Math.ceil(seconds / 60)),
      CallDuration: String(seconds),
    };
    return this.#send(url, "POST", params, "valid");
  }

  /** Ends the call as failed and cuts its stream; resolves when nothing of it goes on. */
  async abandon(): Promise<void> {
    this.#over("failed", "failed", "the twin was closed");
    await this.stream?.break("cut");
    await this.settled();
  }

  /** Resolves when everything requested so far, stream status callbacks included, has been answered or given up. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }

  async #obey(first: Document): Promise<void> {
    let document: Document | undefined = first;
    for (let documents = 1; document !== undefined && this.#end === undefined; documents++) {
      if (documents > DOCUMENTS_MAX) {
        this.#complain(11215);
        break;
      }
      document = await this.#obeyDocument(document, documents === 1);
    }
    if (this.#hungUp) this.#over("caller", "completed");
    else this.#over(this.#broken === undefined ? "agent" : "failed", "completed");
  }

  /** The document that comes next; undefined when the call is over. */
  async #obeyDocument({ verbs, url }: Document, isFirst: boolean): Promise<Document | undefined> {
    for (const [index, verb] of verbs.entries()) {
      if (this.#hungUp || this.#end !== undefined) return undefined;
      switch (verb.verb) {
        case "Reject":
          if (isFirst && index === 0) {
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
          return this.#fetch(Addresses.resolve(verb.url, url), verb.method, "in-progress");
        case "Connect": {
          await this.#connectStream(verb.stream, url);
          if (verb.action === undefined) break;
          return this.#follow(Addresses.resolve(verb.action, url), verb.method);
        }
      }
    }
    return undefined;
  }

  /** The action of a Connect that is over. */
  async #follow(url: string, method: HttpMethod): Promise<Document | undefined> {
    if (this.#end !== undefined) return undefined;
    if (!this.#hungUp) return this.#fetch(url, method, "in-progress");
    if (this.#options.actionAfterHangUp ?? true) await this.#fetch(url, method, "completed");
    return undefined;
  }

  async #fetch(url: string, method: HttpMethod, callStatus: CallStatus): Promise<Document | undefined> {
    const sentMs = this.timeline.nowMs();
    const answer = await this.#ask(url, method, { ...this.params, CallStatus: callStatus });
    const tookMs = this.timeline.nowMs() - sentMs;
    this.timeline.add({ kind: "action", callStatus, status: answer?.status ?? 0, tookMs });
    return this.#read(answer, url);
  }

  async #connectStream(noun: StreamNoun, documentUrl: string): Promise<StreamEnd | undefined> {
    const { account, addresses, ticker } = this.#switchboard;
    const publicUrl = this.#streamUrl(noun, documentUrl);
    if (publicUrl === undefined) return undefined;
    const facts = {
      ...account,
      callSid: this.sid,
      streamSid: this.#switchboard.newSid("MZ"),
      publicUrl,
      dialUrl: addresses.dialable(publicUrl),
      parameters: noun.parameters,
      firstTimestampMs: this.#switchboard.firstTimestampMs(),
    };
    const report = (event: string, complaint?: Complaint) =>
      this.#report(noun, documentUrl, facts.streamSid, event, complaint);
    const stream = new TwinStream(facts, this.timeline, ticker, this.#streamOptions, (complaint) =>
      report("stream-error", complaint),
    );
    this.stream = stream;
    this.#waits.check();
    stream.opened.then(
      () => report("stream-started"),
      () => {},
    );
    const end = await stream.ended;
    if (end.opened) report("stream-stopped");
    if (!end.opened || end.by === "network") this.#broken ??= end.reason || "the stream's connection broke";
    else if (end.by === "gateway" && end.code !== NORMAL_CLOSE)
      this.#broken ??= `the gateway closed the stream with code ${end.code}`;
    return end;
  }

  /** The address to sign and connect to; undefined when Twilio would not try. */
  #streamUrl(noun: StreamNoun, documentUrl: string): string | undefined {
    const base = documentUrl.replace(/^http/, "ws");
    const url = URL.canParse(noun.url, base) ? Addresses.resolve(noun.url, base) : undefined;
    if (url === undefined) return this.#complain(31923, noun.url);
    if (noun.track !== "inbound_track") return this.#complain(31941, noun.track);
    // Plain ws is for a gateway that is itself reached by plain http, on this machine.
    const isExpected = url.startsWith("wss://") || (url.startsWith("ws://") && base.startsWith("ws://"));
    if (!isExpected) return this.#complain(31922, url);
    return url.replace(/\?.*$/s, ""); // Twilio drops the query without a word
  }

  #report(
    noun: StreamNoun,
    documentUrl: string,
    streamSid: string,
    event: string,
    complaint?: Complaint,
  ): void {
    if (noun.statusCallback === undefined) return;
    const url = Addresses.resolve(noun.statusCallback, documentUrl);
    const params = {
      AccountSid: this.#switchboard.account.accountSid,
      CallSid: this.sid,
      StreamSid: streamSid,
      StreamName: noun.name ?? streamSid,
      StreamEvent: event,
      ...(complaint && { StreamError: `${complaint.code} - ${complaint.text}` }),
      Timestamp: new Date(this.#switchboard.ticker.clock.wallMs()).toISOString(),
    };
    this.#send(url, noun.statusCallbackMethod, params, "valid").then(
      ({ status }) => {
        if (status < 200 || status > 299) this.timeline.complain(15003, `${event}: ${status}`);
      },
      (error: WebhookError) => this.timeline.complain(15003, `${event}: ${error.message}`),
    );
  }

  /** Sends what the call can't go on without; undefined when no answer came, which breaks the call. */
  async #ask(
    url: string,
    method: HttpMethod,
    params: Readonly<Record<string, string>>,
    signing: Signing = "valid",
  ): Promise<WebhookAnswer | undefined> {
    try {
      return await this.#send(url, method, params, signing);
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      return this.#complain(11205, error.message);
    }
  }

  /** Rejects with WebhookError when no answer came. */
  async #send(
    publicUrl: string,
    method: HttpMethod,
    params: Readonly<Record<string, string>>,
    signing: Signing,
  ): Promise<WebhookAnswer> {
    const { account, addresses } = this.#switchboard;
    const dialUrl = addresses.dialable(publicUrl);
    const idempotencyToken = publicUrl === this.#voiceUrl ? this.#idempotencyToken : randomUUID();
    const { authToken } = account;
    const webhook = { publicUrl, dialUrl, method, params, authToken, signing, idempotencyToken };
    const answered = sendWebhook(webhook);
    this.#inFlight.add(answered);
    try {
      return await answered;
    } finally {
      this.#inFlight.delete(answered);
    }
  }

  /** The verbs of an answer; undefined when Twilio could not use it, which is complained of. */
  #read(answer: WebhookAnswer | undefined, url: string): Document | undefined {
    if (answer === undefined) return undefined;
    const { status, contentType, body } = answer;
    if (status < 200 || status > 299) return this.#complain(11200, `status ${status} from ${url}`);
    if (Buffer.byteLength(body) > TWIML_MAX_BYTES) return this.#complain(11750);
    if (!TWIML_TYPES.includes(contentType)) return this.#complain(12300, contentType || "none");
    try {
      const verbs = parseTwiml(body);
      this.timeline.add({ kind: "twiml", verbs });
      return { verbs, url };
    } catch (error) {
      if (!(error instanceof TwimlError)) throw error;
      return this.#complain(12100, error.message);
    }
  }

  /** What breaks a call, unlike what is only warned of. */
  #complain(code: ComplaintCode, detail?: string): undefined {
    this.#broken ??= this.timeline.complain(code, detail).text;
  }

  /** Waits, but not for a caller who hangs up. */
  async #pause(ms: number): Promise<void> {
    const untilMs = this.timeline.nowMs() + ms;
    const isOver = () => this.#hungUp || this.timeline.nowMs() >= untilMs || undefined;
    await this.#waits.until("the pause to end", isOver, ms + WAIT_MS).catch(() => {});
  }

  #over(how: CallEnd["how"], status: CallStatus, reason = this.#broken ?? ""): void {
    if (this.#end !== undefined) return;
    this.#end = { how, status, reason };
    this.#waits.end(`the call was over (${how}${reason && `: ${reason}`})`);
    this.#settle(this.#end);
  }
}
