// One call between the webhook that announced it and the moment its last resource is free. It joins a socket, a
// task and a record; what each event means is lifecycle.ts's to say.
import type { EndReason, StreamViolation } from "../../domain/endings.ts";
import type { AccountSid, CallSid, RunId } from "../../domain/ids.ts";
import type { News, ToldNews } from "../../lane/news.ts";
import type { TaskReport } from "../../lane/ticket.ts";
import { decodeMessage } from "../../media/protocol/messages.ts";
import { framesIn } from "../../media/protocol/streamMessages.ts";
import type { Placement, PlacementListener } from "../../pool/placement.ts";
import { type CallDirection, type CallRecords, endedByOf } from "../log/records.ts";
import type { CallObserver } from "../observer.ts";
import { type CallEvent, type CallState, expected, next } from "./lifecycle.ts";
import type { Sent, StreamHandler, StreamSocket } from "./stream.ts";

/** After so long without audio Twilio's end of the socket is asked whether it is still there… */
export const MEDIA_GAP_MS = 10_000;
/** …and so long its answer is awaited. */
export const PONG_MS = 10_000;

/**
 * Twilio sends 50 messages a second. Four times that, and what may have piled up on its way, are let through; more
 * would take the lane from the other calls.
 */
const MESSAGES_PER_S = 200;
const BURST_MESSAGES = 500;

const utf8 = new TextDecoder();

/** What a call is while it lives; its record knows more. */
export interface LiveFacts {
  readonly run: RunId;
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  readonly direction: CallDirection;
  /** As Twilio sent it. */
  readonly from: string;
  readonly to: string;
}

/** What a live call needs of its surroundings. */
export interface CallEnvironment {
  readonly records: CallRecords;
  readonly observer: CallObserver;
  readonly limits: { readonly mediaGapMs: number; readonly pongMs: number };
  nowMs(): number;
  wallMs(): number;
  /** Called once, when socket and task are both gone. */
  released(call: LiveCall): void;
}

export class LiveCall implements StreamHandler, PlacementListener {
  readonly facts: LiveFacts;
  /** The webhook's answer, for its repeats. */
  readonly twiml: string;
  /** Tells this call's token from any other. */
  readonly nonce: string;
  readonly #around: CallEnvironment;
  #state: CallState;
  #placement: Placement | undefined;
  #hasTask = true;
  #socket: StreamSocket | undefined;
  #startedMs: number | undefined;
  // The watch for a stream that fell silent: audio messages are counted, and looked at on the sweep.
  #audioMessages = 0;
  #audioSeen = 0;
  #lastAudioMs = 0;
  #pingedMs: number | undefined;
  /** Messages the stream may still send until the next sweep. */
  #credit = BURST_MESSAGES;
  #sweptMs: number;
  /** What went wrong in the call's own code, for the log. */
  #error: string | undefined;

  constructor(facts: LiveFacts, answer: { twiml: string; nonce: string }, around: CallEnvironment) {
    this.facts = facts;
    this.twiml = answer.twiml;
    this.nonce = answer.nonce;
    this.#around = around;
    this.#sweptMs = around.nowMs();
    this.#state = expected(this.#sweptMs);
  }

  get run(): RunId {
    return this.facts.run;
  }

  get callSid(): CallSid {
    return this.facts.callSid;
  }

  /** Milliseconds since the stream's start; 0 before it. */
  get talkedMs(): number {
    return this.#startedMs === undefined ? 0 : this.#around.nowMs() - this.#startedMs;
  }

  get state(): CallState {
    return this.#state;
  }

  /** The task that runs this call; given once, before anything else happens. */
  placed(placement: Placement): void {
    this.#placement = placement;
  }

  /** Takes what happened, and does what follows from it. */
  apply(event: CallEvent): void {
    const before = this.#state;
    const nowMs = this.#around.nowMs();
    this.#state = next(before, event, nowMs);
    if (this.#state !== before && this.#state.name === "ended") this.#end(this.#state.reason, before);
  }

  /** Deadlines and the watch for silence. Called a few times a second. */
  sweep(nowMs: number): void {
    this.#credit = BURST_MESSAGES + ((nowMs - this.#sweptMs) / 1_000) * MESSAGES_PER_S;
    this.#sweptMs = nowMs;
    if (this.#state.name !== "live") {
      if (this.#state.name === "connecting" && nowMs >= this.#state.untilMs)
        return this.#violated("no_start");
      return this.apply({ type: "time" });
    }
    if (this.#audioMessages !== this.#audioSeen) {
      this.#audioSeen = this.#audioMessages;
      this.#lastAudioMs = nowMs;
      this.#pingedMs = undefined;
    } else if (this.#pingedMs !== undefined) {
      if (nowMs - this.#pingedMs >= this.#around.limits.pongMs) this.#fellSilent();
    } else if (nowMs - this.#lastAudioMs >= this.#around.limits.mediaGapMs) {
      this.#pingedMs = nowMs;
      this.#socket?.ping();
    }
  }

  #fellSilent(): void {
    const before = this.#state;
    this.apply({ type: "stream_silent" });
    if (this.#state !== before) this.#around.observer.streamSilent(this);
  }

  // StreamHandler: the media socket.

  opened(socket: StreamSocket): void {
    this.#socket = socket;
    // The call may have ended between the upgrade and now.
    if (this.#state.name === "ended") return socket.close(1000, "call over");
    this.#log("stream_opened");
  }

  message(bytes: Uint8Array, isBinary: boolean): void {
    const { name } = this.#state;
    if (name !== "connecting" && name !== "live") return;
    if (--this.#credit < 0) return this.#violated("flood");
    if (isBinary) return this.#around.observer.streamViolated(this, "binary"); // ignored, like all that is unreadable
    if (name === "connecting") this.#beforeStart(bytes);
    else if (this.#placement?.deliver(bytes)) this.#audioMessages++;
  }

  ponged(): void {
    this.#pingedMs = undefined;
    this.#lastAudioMs = this.#around.nowMs();
  }

  closed(_code: number): void {
    this.#socket = undefined;
    this.apply({ type: "socket_closed" });
    if (this.#state.name === "closing") this.#placement?.closed();
    this.#releaseIfDone();
  }

  // PlacementListener: the task.

  frame(bytes: Uint8Array, isAudio: boolean): void {
    this.#lookAt(this.#socket?.send(bytes), bytes, isAudio);
  }

  frameAndControl(audio: Uint8Array, control: Uint8Array): void {
    const [sentAudio, sentControl] = this.#socket?.sendBoth(audio, control) ?? [];
    this.#lookAt(sentAudio, audio, true);
    this.#lookAt(sentControl, control, false);
  }

  #lookAt(sent: Sent | undefined, bytes: Uint8Array, isAudio: boolean): void {
    if (sent !== "dropped") return;
    if (isAudio) return this.#around.observer.framesRefused(framesIn(bytes.length));
    // Without its clear or its mark the caller would go on hearing what was unsaid: nobody reads this stream.
    this.#fellSilent();
  }

  told(bytes: Uint8Array): void {
    const { atMs, news } = JSON.parse(utf8.decode(bytes)) as ToldNews;
    const { records, observer, nowMs, wallMs } = this.#around;
    const { kind, ...facts } = news;
    const agoMs = nowMs() - atMs; // first: held up before the wall clock is read, this would come before its cause
    records.note(this.run, { atMs: Math.round(wallMs() - agoMs), kind, facts });
    this.#noteKept(news);
    observer.told(this, news);
  }

  replaced(): void {
    this.#around.observer.replaced(this);
    this.#log("worker_replaced");
  }

  ended(report: TaskReport): void {
    this.#hasTask = false;
    const { records, observer } = this.#around;
    const { heardMs, digits, isApologized } = report;
    records.update(this.run, { heardMs, digits, ...(isApologized !== undefined && { isApologized }) });
    if (report.violation !== undefined) observer.streamViolated(this, report.violation);
    this.#error = report.error;
    this.apply({ type: "task_ended", reason: report.reason });
    this.#releaseIfDone();
  }

  #beforeStart(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    switch (message.event) {
      case "connected":
      case "ignored":
      case "malformed":
        return; // the deadline ends a stream that never says anything better
      case "start": {
        const { callSid, accountSid } = this.facts;
        if (message.callSid !== callSid || message.accountSid !== accountSid)
          return this.#violated("start_mismatch");
        const isCarrierAudio = message.encoding === "audio/x-mulaw" && message.sampleRateHz === 8_000;
        if (!isCarrierAudio || message.channels !== 1) return this.#violated("start_format");
        const nowMs = this.#around.nowMs();
        this.#startedMs = nowMs;
        this.#lastAudioMs = nowMs;
        this.#placement?.started({ streamSid: message.streamSid, startedMs: nowMs }, bytes);
        this.apply({ type: "started", streamSid: message.streamSid });
        this.#around.records.update(this.run, { startedAtMs: this.#around.wallMs() });
        return this.#log("stream_started");
      }
      default:
        return this.#violated("early_message");
    }
  }

  #violated(violation: StreamViolation): void {
    this.#around.observer.streamViolated(this, violation);
    this.apply({ type: "contract_broken" });
  }

  #end(reason: EndReason, before: CallState): void {
    const { records, observer } = this.#around;
    const { talkedMs } = this;
    const endedBy = endedByOf(reason, this.facts.direction);
    records.update(this.run, { outcome: reason, endedBy, endedAtMs: this.#around.wallMs() });
    this.#log("ended", reason);
    observer.ended(this, this.facts.direction, reason, talkedMs, this.#error);
    if (this.#hasTask) this.#placement?.end(reason);
    if (reason === "media_lost" && before.name === "live") this.#socket?.drop();
    else this.#socket?.close(closeCodeOf(reason), "call over");
  }

  /** The record says what can be downloaded of the call, as soon as there is any of it. */
  #noteKept(news: News): void {
    const { records } = this.#around;
    const kept = records.get(this.run);
    if (news.kind === "recording" && news.state !== "failed" && kept?.recordingFile === undefined)
      records.update(this.run, { recordingFile: news.file });
    const isSaid = (news.kind === "transcript" || news.kind === "utterance") && news.text !== "";
    if (isSaid && kept?.hasTranscript !== true) records.update(this.run, { hasTranscript: true });
  }

  #log(kind: "stream_opened" | "stream_started" | "worker_replaced" | "ended", detail?: string): void {
    const event = { atMs: this.#around.wallMs(), kind };
    this.#around.records.append(this.run, detail === undefined ? event : { ...event, detail });
  }

  #releaseIfDone(): void {
    if (this.#hasTask || this.#socket !== undefined || this.#state.name !== "ended") return;
    this.#around.released(this);
  }
}

/** RFC 6455 section 7.4.1. Twilio goes on to the Connect action whatever the code says. */
function closeCodeOf(reason: EndReason): number {
  switch (reason) {
    case "protocol_error":
    case "no_stream":
      return 1008;
    case "drained":
      return 1001;
    case "call_error":
    case "agent_failed":
    case "worker_lost":
      return 1011;
    default:
      return 1000;
  }
}
