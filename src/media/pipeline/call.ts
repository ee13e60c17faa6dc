// One call in a worker: the caller's frames to its agent, the agent's speech to the caller, and one ending. It
// does not know whether messages come from a lane or a socket, and owns no timer: its host ticks it.
import { CARRIER_FRAME_SAMPLES, FRAME_MS } from "../../domain/audio.ts";
import { LONG_AGO_MS } from "../../domain/clock.ts";
import type { EndReason } from "../../domain/endings.ts";
import type { News, Prompt, Prompts } from "../../lane/news.ts";
import type { CallTicket, TaskReport } from "../../lane/ticket.ts";
import type { Agent, Audio, AudioFormat, CallFacts, Cut, Line } from "../agents/port.ts";
import { TurnDetector } from "../audio/turnDetector.ts";
import type { MediaMessages } from "../protocol/mediaMessages.ts";
import type { StreamMessages } from "../protocol/streamMessages.ts";
import { type CallerListener, Hearing } from "./hearing.ts";
import { Patience } from "./patience.ts";
import type { MakeRecorder, Recorder } from "./recorder.ts";
import { Speech, type SpeechListener, type SpeechOutlet } from "./speech.ts";
import { Stalls } from "./stalls.ts";
import { StreamReader } from "./streamReader.ts";
import { Teller } from "./teller.ts";
import { type AgentSide, Turns } from "./turns.ts";

/** How long after its last words are due a goodbye may stay unacknowledged before the call ends anyway. */
const GOODBYE_GRACE_MS = 2_000;
/** An agent waits for what it waits for this finely. */
const AGENT_TICK_MS = 20;

/** What a call needs of the worker it runs in. */
export interface CallSurroundings extends SpeechOutlet {
  readonly messages: MediaMessages;
  readonly prompts: Prompts;
  createAgent(settings: CallTicket["agent"], line: Line, facts: CallFacts): Agent;
  readonly createRecorder: MakeRecorder;
  /** Called once, last, by the call in that slot. */
  ended(slot: number, report: TaskReport): void;
}

/** On its way out: the call ends for this reason once all was heard, or at that time. */
interface Leaving extends Pick<TaskReport, "error" | "isApologized"> {
  readonly reason: EndReason;
  readonly untilMs: number;
}

export class Call implements Line, CallerListener {
  // What every frame needs comes first and so lies together; the rest is out of its way.
  readonly #around: CallSurroundings;
  readonly #stream: StreamReader;
  readonly #agent: Agent;
  readonly #speech: Speech;
  /** Undefined where nothing depends on whose turn it is. */
  readonly #turns: Turns | undefined;
  readonly #detector: TurnDetector | undefined;
  #recorder: Recorder | undefined;
  /** There as soon as the stream is. */
  #patience: Patience | undefined;
  #isOver = false;
  #hasSpoken: boolean;
  /** Where the agent's first words of the call stand; undefined when it has said none, or they are told. */
  #firstWordMs: number | undefined;
  #leaving: Leaving | undefined;
  readonly #hearing: Hearing;
  readonly #teller: Teller;
  readonly #stalls = new Stalls();
  readonly ticket: CallTicket;
  #startedMs = 0;
  #tickedMs = LONG_AGO_MS;
  /** The caller is to be told that the call is recorded, is told so until then, and hears it to the end. */
  #isToAnnounce = false;
  #announcedMs = LONG_AGO_MS;
  #digits = 0;
  /** One for all frames. */
  readonly #agentNow = { isSpeaking: false, isPreparing: false, isGreeted: false };

  constructor(ticket: CallTicket, around: CallSurroundings) {
    this.ticket = ticket;
    this.#around = around;
    this.#teller = new Teller(ticket, around.lane, around.counts);
    const { max_silence_ms: maxSilenceMs = 0, interruption } = ticket.agent;
    if (interruption !== undefined || maxSilenceMs > 0) {
      this.#detector = new TurnDetector();
      this.#turns = new Turns(interruption ?? "off", (news) => this.tell(news));
    }
    this.#hasSpoken = ticket.resumed !== undefined;
    const listener: SpeechListener = {
      over: (utterance) => this.tell({ kind: "utterance", ...utterance }),
      marked: (name, heardMs) => {
        if (!this.#isOver) this.#agent.marked(name, heardMs); // one of several may have made it hang up
      },
    };
    this.#speech = new Speech(ticket, around, listener, this.#detector !== undefined);
    const { counts, codec } = around;
    this.#hearing = new Hearing(this, codec, counts);
    const nowMs = () => around.nowMs();
    this.#stream = new StreamReader(
      this.#hearing,
      {
        started: (stream) => this.#begin(stream),
        mark: (name) => {
          // Twilio sends a mark back even for audio it cleared, so a mark of a past generation is normal here.
          if (this.#speech.markEchoed(name)) this.#progressed(nowMs());
        },
        dtmf: (digit) => {
          this.#digits++;
          this.#agent.dtmf(digit);
        },
        stopped: () => this.#stopped(),
        violated: (violation) => this.end("protocol_error", { violation }),
      },
      around.messages,
      counts,
      nowMs,
    );
    // Whoever has heard half of it when a worker died hears it again.
    const isDue = (ticket.resumed?.talkedMs ?? 0) < this.#announcementMs;
    if (ticket.recording?.announcement === true && isDue) this.#announce();
    try {
      this.#agent = around.createAgent(ticket.agent, this, factsOf(ticket));
    } catch (error) {
      this.#isOver = true; // whatever the half-made agent still does with its line
      this.#hearing.close();
      this.#speech.close(around.nowMs());
      throw error;
    }
  }

  /** Goes on with a stream that began on a worker which is dead; does nothing for a new call. */
  resume(): void {
    const { resumed } = this.ticket;
    if (resumed !== undefined && !this.#isOver) this.#stream.begin(resumed.streamSid);
  }

  /** Takes one message of the stream. `bytes` belongs to the lane and is reused after this returns. */
  receive(bytes: Uint8Array): void {
    if (!this.#isOver) this.#stream.read(bytes);
  }

  /** Sends what is due. Returns why the call is to end now, if it is. Called by the earliest time that `wakeBy` was told since the last tick. */
  tick(nowMs: number): EndReason | undefined {
    if (this.#isOver || this.#patience === undefined) return undefined;
    const speech = this.#speech;
    speech.tick(nowMs);
    this.#progressed(nowMs);
    if (this.#leaving !== undefined) {
      const { reason, untilMs } = this.#leaving;
      return speech.isHeard || nowMs >= untilMs ? reason : undefined;
    }
    const unconfirmedMs = speech.stalledMs(nowMs);
    if (this.#stalls.isLost(nowMs, unconfirmedMs, this.#hearing.hasCome())) {
      this.tell({ kind: "playout_stalled", behindMs: Math.round(unconfirmedMs) });
      return "media_lost";
    }
    return this.#lookAtLimits(this.#patience, nowMs);
  }

  /** When `tickAgent` is due, or Infinity. Apart from `tick`, because an agent's code runs in it. */
  get agentDueMs(): number {
    const isWanted = this.#agent.tick !== undefined || this.#recorder !== undefined;
    return isWanted ? this.#tickedMs + AGENT_TICK_MS : Number.POSITIVE_INFINITY;
  }

  tickAgent(nowMs: number): void {
    this.#tickedMs = nowMs;
    if (this.#isOver) return;
    this.#recorder?.tick(nowMs);
    this.#agent.tick?.(nowMs);
  }

  /** Ends the call; only the first reason counts. Whatever fails on the way, all is freed and the end is reported. */
  end(reason: EndReason, why: Pick<TaskReport, "error" | "violation"> = {}): void {
    if (this.#isOver) return;
    const nowMs = this.#around.nowMs();
    try {
      this.#hearing.close();
      this.#speech.close(nowMs); // tells what was heard, which an agent may still want to know
      this.#recorder?.finish(nowMs); // tells how long it has recorded
    } finally {
      this.#isOver = true;
      this.#stream.close();
      this.#putAway(reason, why, nowMs);
    }
  }

  #putAway(reason: EndReason, why: Pick<TaskReport, "error" | "violation">, nowMs: number): void {
    const heardMs = Math.round(this.#speech.totalHeardMs(nowMs));
    const leaving = this.#leaving?.reason === reason ? this.#leaving : undefined;
    const { error } = leaving ?? {};
    // Not if Twilio has stopped playing: the apology is said by TwiML then.
    const isApologized = leaving?.isApologized && this.#speech.stalledMs(nowMs) === 0;
    try {
      this.#agent.ended(reason);
    } finally {
      this.#around.ended(this.ticket.slot, {
        reason,
        heardMs,
        digits: this.#digits,
        ...(error !== undefined && { error }),
        ...(isApologized !== undefined && { isApologized }),
        ...why,
      });
    }
  }

  // Line: what the agent may do.

  ready(hears: AudioFormat, speaks: AudioFormat): void {
    if (this.#isOver) return;
    this.#speech.speaks(speaks);
    this.#hearing.ready(hears);
  }

  hold(): void {
    this.#hearing.hold();
  }

  beginUtterance(id: string, text: string): void {
    if (this.#mayNotSpeak) return;
    this.#speech.beginUtterance(id, text, this.#around.nowMs());
  }

  say(audio: Audio): number {
    if (this.#mayNotSpeak || audio.length === 0) return 0;
    const nowMs = this.#around.nowMs();
    const speech = this.#speech;
    const turns = this.#turns;
    const fromMs = speech.endMs;
    const heardMs = turns === undefined ? 0 : speech.heardMs(nowMs);
    const taken = speech.say(audio, nowMs);
    if (taken === 0) return 0;
    if (!this.#hasSpoken) this.#firstWordMs = fromMs;
    this.#hasSpoken = true;
    turns?.agentSpoke(nowMs, fromMs, heardMs);
    this.#patience?.agentHeardUntil(speech.lastWordMs(nowMs));
    // Where time does not stand still, later by what it took to make frames of it: our share of a turn.
    if (this.#isWaitedFor) this.#progressed(this.#around.nowMs());
    return taken;
  }

  endUtterance(text?: string): void {
    if (!this.#mayNotSpeak) this.#speech.endUtterance(this.#around.nowMs(), text);
  }

  mark(name: string): void {
    if (this.#mayNotSpeak || this.#speech.mark(name)) return;
    this.tell({ kind: "agent_refused", what: "too_many", count: 1 });
  }

  clear(): Cut {
    if (this.#mayNotSpeak) return { by: "agent", utterance: undefined, heardMs: 0, heardText: "" };
    const nowMs = this.#around.nowMs();
    const cut = this.#cut("agent", nowMs, 0);
    if (this.#isAnnouncing(nowMs)) this.#announce();
    return cut;
  }

  get queuedMs(): number {
    return this.#isOver ? 0 : this.#speech.queuedMs;
  }

  get heardMs(): number {
    return this.#speech.totalHeardMs(this.#around.nowMs());
  }

  transcript(role: "caller" | "agent", text: string): void {
    this.tell({ kind: "transcript", role, text });
  }

  hangUp(when: "heard" | "now"): void {
    if (this.#mayNotSpeak) return;
    const hasNothingToSay = !this.#stream.isUp && this.#speech.isHeard;
    if (when === "now" || hasNothingToSay) return this.end("agent_hung_up");
    this.#leave({ reason: "agent_hung_up" }); // also before the stream is there: what was said awaits it
  }

  fail(why: string): void {
    if (this.#mayNotSpeak) return;
    if (!this.#stream.isUp) return this.end("agent_failed", { error: why });
    this.#apologize("agent_failed", why);
  }

  leaveBehind(resumeId: string): void {
    if (!this.#isOver) this.#speech.leaveBehind(resumeId);
  }

  tell(news: News): void {
    if (!this.#isOver) this.#teller.tell(news, this.#around.nowMs());
  }

  nowMs(): number {
    return this.#around.nowMs();
  }

  get #mayNotSpeak(): boolean {
    return this.#isOver || this.#leaving !== undefined;
  }

  #begin(stream: StreamMessages): void {
    const nowMs = this.#around.nowMs();
    const { agent, recording, resumed } = this.ticket;
    this.#startedMs = nowMs - (resumed?.talkedMs ?? 0);
    const limits = {
      firstSpeechTimeoutMs: agent.first_speech_timeout_ms ?? 0,
      maxSilenceMs: agent.max_silence_ms ?? 0,
      maxDurationMs: agent.max_duration_ms,
    };
    this.#patience = new Patience(limits, this.#startedMs, nowMs, resumed !== undefined);
    if (recording !== undefined)
      this.#recorder = this.#around.createRecorder(this.ticket, this.#startedMs, (news) => this.tell(news));
    this.#speech.begin(stream, this.#recorder);
    if (this.#isToAnnounce) this.#announcing();
    if (this.#firstWordMs !== undefined) this.#patience.agentHeardUntil(this.#speech.lastWordMs(nowMs));
    if (this.#leaving !== undefined) this.#leave(this.#leaving); // its time begins now
    this.#agent.started();
  }

  /** The caller has hung up. One who does so while we apologize has done it for what we apologize for. */
  #stopped(): void {
    const isFailing = this.#leaving?.isApologized !== undefined;
    this.end(isFailing ? this.#leaving!.reason : "caller_hung_up");
  }

  /** Whatever the agent does meanwhile, the call ends once what is queued was heard. */
  #leave(leaving: Omit<Leaving, "untilMs">): void {
    const nowMs = this.#around.nowMs();
    this.#speech.finish(nowMs);
    this.#around.wakeBy(this.ticket.slot, nowMs);
    this.#leaving = { ...leaving, untilMs: this.#speech.lastWordMs(nowMs) + GOODBYE_GRACE_MS };
  }

  #apologize(reason: EndReason, error?: string): void {
    const isApologized = this.#prompt("apology", reason);
    this.#leave({ reason, isApologized, ...(error !== undefined && { error }) });
  }

  #announce(): void {
    this.#speech.prompt(this.#around.prompts.announcement, this.#around.nowMs());
    this.#isToAnnounce = true;
    if (this.#stream.isUp) this.#announcing();
  }

  get #announcementMs(): number {
    return Math.ceil((this.#around.prompts.announcement.length * FRAME_MS) / CARRIER_FRAME_SAMPLES);
  }

  #isAnnouncing(nowMs: number): boolean {
    return this.#isToAnnounce || nowMs < this.#announcedMs;
  }

  /** The announcement is first in line, and from now on the caller hears it. */
  #announcing(): void {
    this.#isToAnnounce = false;
    this.#announcedMs = this.#around.nowMs() + this.#announcementMs;
    this.tell({ kind: "prompt", prompt: "announcement", why: "the call is recorded" });
  }

  /** False when an agent's speech leaves no room for it. */
  #prompt(prompt: Exclude<Prompt, "announcement">, why: string): boolean {
    const isSaid = this.#speech.prompt(this.#around.prompts[prompt], this.#around.nowMs());
    if (isSaid) this.tell({ kind: "prompt", prompt, why });
    return isSaid;
  }

  #lookAtLimits(patience: Patience, nowMs: number): EndReason | undefined {
    if (this.#detector?.isSpeaking === true) patience.callerHeardAt(nowMs);
    const enough = patience.at(nowMs);
    if (enough === "comfort") this.#prompt("comfort", "the agent has said nothing");
    else if (enough === "silence") this.#apologize("silence");
    else return enough;
    return undefined;
  }

  /** Whether anybody wants to know how far the agent's speech has come. */
  get #isWaitedFor(): boolean {
    return this.#turns !== undefined || this.#firstWordMs !== undefined;
  }

  #progressed(nowMs: number): void {
    if (!this.#isWaitedFor) return;
    const { sentMs, confirmedMs } = this.#speech;
    this.#turns?.progressed(nowMs, sentMs, confirmedMs);
    if (this.#firstWordMs === undefined || sentMs <= this.#firstWordMs) return;
    this.#firstWordMs = undefined;
    this.tell({
      kind: "first_audio",
      sinceTaskMs: Math.round(nowMs - this.ticket.placedAtMs),
      sinceStreamMs: Math.round(nowMs - this.#startedMs),
    });
  }

  // What the caller says, before the agent hears it, and when it does.

  callerSaid(mulaw: Uint8Array): void {
    this.#recorder?.caller(mulaw);
    const detector = this.#detector;
    const turns = this.#turns;
    if (detector === undefined || turns === undefined) return;
    const nowMs = this.#around.nowMs();
    const decision = detector.hear(mulaw, this.#speech.levelNowDb(nowMs));
    if (decision === "started") this.#callerStarted(detector, turns, nowMs);
    else if (decision === "stopped") this.#callerStopped(detector, turns, nowMs);
    else if (detector.isSpeaking) this.#callerGoesOn(detector, turns, nowMs);
  }

  agentHears(frame: Audio): void {
    this.#agent.hear(frame);
  }

  #callerStarted(detector: TurnDetector, turns: Turns, nowMs: number): void {
    const isCutting = turns.callerStarted(this.#agentSide(nowMs));
    this.#callerSpeaks(detector, nowMs, detector.onsetAgoMs, isCutting && this.#mayBeCut(nowMs));
  }

  /** The agent has begun in a pause of the caller's, who had not finished. */
  #callerGoesOn(detector: TurnDetector, turns: Turns, nowMs: number): void {
    const overlapMs = turns.callerGoesOn(detector.endedAgoMs === 0, this.#agentSide(nowMs));
    if (overlapMs > 0 && this.#mayBeCut(nowMs)) this.#callerSpeaks(detector, nowMs, overlapMs, true);
  }

  #agentSide(nowMs: number): AgentSide {
    const speech = this.#speech;
    const side = this.#agentNow;
    side.isSpeaking = speech.isSpeaking(nowMs);
    side.isPreparing = speech.isPreparing(nowMs);
    side.isGreeted = speech.isGreeted;
    return side;
  }

  #mayBeCut(nowMs: number): boolean {
    return this.#leaving === undefined && !this.#isAnnouncing(nowMs);
  }

  #callerSpeaks(detector: TurnDetector, nowMs: number, sinceMs: number, isInterrupting: boolean): void {
    this.tell({
      kind: "speech_started",
      levelDb: Math.round(detector.levelDb),
      floorDb: Math.round(detector.floorDb),
      thresholdDb: Math.round(detector.thresholdDb),
      isAgentSpeaking: this.#speech.isSpeaking(nowMs),
      isInterrupting,
    });
    if (!isInterrupting) return;
    const cut = this.#cut("caller", nowMs, sinceMs);
    if (cut.utterance !== undefined) this.#agent.interrupted(cut); // else it was a prompt of ours
  }

  #callerStopped(detector: TurnDetector, turns: Turns, nowMs: number): void {
    this.tell({
      kind: "speech_stopped",
      levelDb: Math.round(detector.levelDb),
      floorDb: Math.round(detector.floorDb),
      lastedMs: detector.lastedMs,
    });
    turns.callerStopped(nowMs - detector.endedAgoMs, this.#agentSide(nowMs));
  }

  #cut(by: Cut["by"], nowMs: number, tookMs: number): Cut {
    const { droppedMs, ...cut } = this.#speech.clear(nowMs);
    this.#recorder?.cleared(nowMs);
    this.#turns?.cleared();
    this.#patience?.cut(nowMs);
    if (this.#firstWordMs !== undefined) {
      this.#firstWordMs = undefined; // unsaid before any of it was sent
      this.#hasSpoken = false;
    }
    // Agents that clear whenever they hear someone have interrupted nothing by it.
    if (by === "caller" || droppedMs > 0)
      this.tell({ kind: "interrupted", by, droppedMs, tookMs: Math.round(tookMs) });
    return { by, ...cut };
  }
}

function factsOf(ticket: CallTicket): CallFacts {
  const { callSid, accountSid, run, direction, from, to, workflow, variables, parameters, resumed } = ticket;
  const left = resumed?.remains;
  return {
    ...{ callSid, accountSid, run, direction, from, to, workflow, variables, parameters },
    resumed: resumed && { heardMs: left?.heardMs ?? 0, resumeId: left?.resumeId ?? "" },
  };
}
