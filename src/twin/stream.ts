// Twilio's end of one media stream: introduces itself, sends the caller's audio every 20 ms, plays what comes back,
// echoes marks, and notes every breach of the contract. Knows nothing of webhooks or TwiML.
import { type Stop, type Ticker, WAIT_MS, Waits } from "./clock.ts";
import type { Complaint, ComplaintCode } from "./complaints.ts";
import { CONNECTED, type GatewayMessage, mediaText, readMessage, startBody } from "./messages.ts";
import { encode, SILENCE_CODE } from "./mulaw.ts";
import { Playback } from "./playback.ts";
import { MediaSocket, type StreamEnd } from "./socket.ts";
import type { Timeline } from "./timeline.ts";
import { FRAME_MS, FRAME_SAMPLES, SAMPLES_PER_MS, sampleAt, Track } from "./track.ts";
import type { Signing } from "./webhook.ts";

export interface StreamFacts {
  readonly accountSid: string;
  readonly authToken: string;
  readonly callSid: string;
  readonly streamSid: string;
  /** What is signed, and where to connect. */
  readonly publicUrl: string;
  readonly dialUrl: string;
  /** Arrive in the start as `customParameters`. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The first media message's timestamp; Twilio's lie between 60 and 200. */
  readonly firstTimestampMs: number;
}

export interface StreamOptions {
  /** False: sends nothing by itself until `introduce` is called; a test may send anything before. */
  readonly automatic?: boolean;
  /** False: leaves the gateway's pings unanswered. */
  readonly answersPings?: boolean;
  readonly signing?: Signing;
  /** Headers of the upgrade, on top of Twilio's or in place of them. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One message of the gateway's. */
export interface Received {
  readonly atMs: number;
  /** As it came; a binary one in base64. */
  readonly text: string;
  /** Undefined when it was invalid. */
  readonly message: GatewayMessage | undefined;
}

type EventName = GatewayMessage["event"];
type MessageOf<Name extends EventName> = Extract<GatewayMessage, { event: Name }>;

/** How long a closing handshake may take before the connection is cut. */
const CLOSE_TIMEOUT_MS = 2_000;
const SILENCE = new Uint8Array(FRAME_SAMPLES).fill(SILENCE_CODE);
const SILENCE_PAYLOAD = Buffer.from(SILENCE).toString("base64");

export class TwinStream {
  readonly facts: StreamFacts;
  /** Every message of the gateway's, in order. */
  readonly received: Received[] = [];
  /** This stream's breaches of the contract; each of Twilio's numbers appears once. */
  readonly complaints: Complaint[] = [];
  readonly playback = new Playback();
  /** What the caller said; a frame stands where it was sent. */
  readonly caller = new Track();
  /** What was played to the caller. */
  readonly agent = new Track();
  /** Resolves when the upgrade was answered with 101; rejects when the stream ended before. */
  readonly opened: Promise<void>;
  /** Resolves when the stream is over, however it ended; never rejects. */
  readonly ended: Promise<StreamEnd>;

  readonly #timeline: Timeline;
  readonly #waits: Waits;
  readonly #leaveTicker: Stop;
  readonly #socket: MediaSocket;
  readonly #onComplaint: (complaint: Complaint) => void;
  #startedMs: number | undefined;
  #endedMs: number | undefined;
  #closeByMs = Number.POSITIVE_INFINITY;
  #sequence = 0;
  #framesSent = 0;
  #muted = false;
  readonly #speech: Uint8Array[] = [];
  readonly #taken: Record<EventName, number> = { media: 0, mark: 0, clear: 0 };

  /** Connects at once. `onComplaint` hears each complaint as it is made. */
  constructor(
    facts: StreamFacts,
    timeline: Timeline,
    ticker: Ticker,
    options: StreamOptions = {},
    onComplaint: (complaint: Complaint) => void = () => {},
  ) {
    this.facts = facts;
    this.#timeline = timeline;
    this.#waits = new Waits(ticker);
    this.#onComplaint = onComplaint;
    const opened = Promise.withResolvers<void>();
    opened.promise.catch(() => {}); // whoever awaits it still gets the rejection
    this.opened = opened.promise;
    const ended = Promise.withResolvers<StreamEnd>();
    this.ended = ended.promise;
    const { publicUrl, dialUrl, authToken } = facts;
    const { automatic = true, signing = "valid", headers = {}, answersPings = true } = options;
    this.#socket = new MediaSocket(
      { publicUrl, dialUrl, authToken, signing, headers, answersPings },
      {
        answered: (status) => timeline.add({ kind: "upgrade", status }),
        opened: () => {
          if (automatic) this.introduce();
          opened.resolve();
        },
        message: (bytes, isBinary) => this.#receive(bytes, isBinary),
        complain: (code, detail) => this.#complain(code, detail),
        over: (end) => {
          this.#over(end);
          opened.reject(new Error(`there was no stream: ${end.reason || `closed with code ${end.code}`}`));
          ended.resolve(end);
        },
      },
    );
    this.#leaveTicker = ticker.join(() => this.#tick());
  }

  // What the caller and Twilio do.

  /** Sends `connected` and `start`; from here on media, silence included, goes out every 20 ms and marks come back. */
  introduce(startChanges: object = {}): void {
    this.send(CONNECTED);
    this.sendEvent("start", { ...startBody(this.facts), ...startChanges });
    this.#startedMs = this.#timeline.nowMs();
    this.#timeline.add({ kind: "start", streamSid: this.facts.streamSid });
  }

  /** The caller says this (16-bit samples, or mu-law) after what is still being said; silence before and after. */
  say(audio: Int16Array | Uint8Array): void {
    if (audio.length > 0) this.#speech.push(audio instanceof Int16Array ? encode(audio) : audio);
  }

  /** Whether all that was to be said has been sent. */
  get saidAll(): boolean {
    return this.#speech.length === 0;
  }

  /** The caller presses a key. */
  press(digit: string): void {
    this.#timeline.add({ kind: "dtmf", digit });
    this.sendEvent("dtmf", { track: "inbound_track", digit });
  }

  /** True: sends no media, as if upstream audio were lost. False: goes on with the frame that is due now. */
  mute(muted: boolean): void {
    this.#muted = muted;
  }

  /** Sends anything at all: a string as a text frame, bytes as a binary one, an object as JSON. */
  send(message: object | string | Uint8Array): void {
    const isRaw = typeof message === "string" || message instanceof Uint8Array;
    this.#socket.send(isRaw ? message : JSON.stringify(message));
  }

  /** Sends one of Twilio's messages, with the next sequence number. */
  sendEvent(event: "start" | "media" | "dtmf" | "mark" | "stop", body: object): void {
    const { streamSid } = this.facts;
    this.send({ event, sequenceNumber: String(++this.#sequence), [event]: body, streamSid });
  }

  /** The caller hung up, or the call was redirected: `stop`, then the closing handshake. */
  stop(): Promise<StreamEnd> {
    const { accountSid, callSid } = this.facts;
    this.sendEvent("stop", { accountSid, callSid });
    return this.close();
  }

  /** The closing handshake without a `stop` before it. */
  close(code = 1000, reason = ""): Promise<StreamEnd> {
    this.#closeByMs = Math.min(this.#closeByMs, this.#timeline.nowMs() + CLOSE_TIMEOUT_MS);
    this.#socket.close(code, reason);
    return this.ended;
  }

  /** The connection breaks: "reset" with a TCP RST, "cut" with a FIN and no closing handshake. */
  break(how: "reset" | "cut"): Promise<StreamEnd> {
    this.#socket.break(how);
    return this.ended;
  }

  /** Goes dead without a word: nothing is sent, read or answered any more, while the connection stays open. */
  freeze(): void {
    this.#socket.freeze();
  }

  // What a test waits for and looks at.

  /** The gateway's first message of this kind that `next` has not given out yet. */
  next<Name extends EventName>(event: Name, timeoutMs = WAIT_MS): Promise<MessageOf<Name>> {
    return this.until(`a ${event} message`, () => this.#take(event), timeoutMs);
  }

  /** Resolves when this much of the gateway's audio has been played to the caller. */
  hasPlayed(ms: number, timeoutMs = ms + WAIT_MS): Promise<true> {
    return this.until(`${ms} ms of audio to be played`, () => this.playedMs >= ms || undefined, timeoutMs);
  }

  /** Resolves when all that was to be said has been sent. */
  hasSaidAll(timeoutMs = 60_000): Promise<true> {
    return this.until("the caller to finish speaking", () => this.saidAll || undefined, timeoutMs);
  }

  /** Resolves with what `probe` finds; it is asked after every message and on every tick. */
  until<Found>(what: string, probe: () => Found | undefined, timeoutMs = WAIT_MS): Promise<Found> {
    return this.#waits.until(what, probe, timeoutMs);
  }

  /** Milliseconds of the gateway's audio played so far; silence that it sent counts. */
  get playedMs(): number {
    return this.playback.playedMs(this.#nowMs());
  }

  /** What was played between two moments of the call's axis, as 16-bit samples; silence where nothing was. */
  played(fromMs = 0, toMs = this.#nowMs()): Int16Array {
    return this.agent.samples(fromMs, toMs);
  }

  /** Now, on the call's axis; it stands still once the stream is over. */
  get nowMs(): number {
    return this.#nowMs();
  }

  /** When the start was sent, on the call's axis. */
  get startedMs(): number | undefined {
    return this.#startedMs;
  }

  /** Media messages sent by itself so far. */
  get framesSent(): number {
    return this.#framesSent;
  }

  // How it works.

  #tick(): void {
    const nowMs = this.#timeline.nowMs();
    if (nowMs >= this.#closeByMs) this.#socket.break("cut");
    if (this.#startedMs === undefined || !this.#socket.isOpen) return;
    const dueFrames = Math.floor((nowMs - this.#startedMs) / FRAME_MS) + 1;
    while (this.#framesSent < dueFrames) this.#sendFrame(this.#startedMs + this.#framesSent * FRAME_MS);
    this.#echo(this.playback.reached(nowMs));
  }

  /** One frame of what the caller says. A muted one counts as sent: that is how audio gets lost upstream. */
  #sendFrame(dueMs: number): void {
    const timestampMs = this.facts.firstTimestampMs + this.#framesSent * FRAME_MS;
    this.#framesSent++;
    if (this.#muted) return;
    const speech = this.#nextSpeech();
    if (speech !== undefined) this.caller.write(sampleAt(dueMs), speech);
    const payload = speech === undefined ? SILENCE_PAYLOAD : Buffer.from(speech).toString("base64");
    const { streamSid } = this.facts;
    this.#socket.send(mediaText(streamSid, ++this.#sequence, this.#framesSent, timestampMs, payload));
  }

  /** The next frame to be said, filled up with silence; undefined when there is nothing to say. */
  #nextSpeech(): Uint8Array | undefined {
    if (this.#speech.length === 0) return undefined;
    const frame = SILENCE.slice();
    let filled = 0;
    while (filled < frame.length) {
      const piece = this.#speech.shift();
      if (piece === undefined) break;
      const part = piece.subarray(0, frame.length - filled);
      frame.set(part, filled);
      filled += part.length;
      if (part.length < piece.length) this.#speech.unshift(piece.subarray(part.length));
    }
    return frame;
  }

  #receive(bytes: Buffer, isBinary: boolean): void {
    const atMs = this.#timeline.nowMs();
    const text = bytes.toString(isBinary ? "base64" : "utf8");
    const read = isBinary ? undefined : readMessage(text, this.facts.streamSid);
    const message = read !== undefined && "event" in read ? read : undefined;
    this.received.push({ atMs, text, message });
    if (read === undefined) this.#complain(31950);
    else if ("fault" in read) this.#complain(31951, read.fault);
    else this.#obey(read, atMs);
    this.#waits.check();
  }

  #obey(message: GatewayMessage, nowMs: number): void {
    this.#echo(this.playback.reached(nowMs));
    switch (message.event) {
      case "media":
        this.#play(Buffer.from(message.media.payload, "base64"), nowMs);
        break;
      case "mark":
        this.#timeline.add({ kind: "mark", by: "gateway", name: message.mark.name });
        this.playback.mark(message.mark.name);
        this.#echo(this.playback.reached(nowMs));
        break;
      case "clear":
        this.#timeline.add({ kind: "clear", droppedMs: this.playback.waitingMs(nowMs) });
        this.agent.cut(sampleAt(nowMs));
        this.#echo(this.playback.clear(nowMs), true);
    }
  }

  #play(codes: Uint8Array, nowMs: number): void {
    const at = this.playback.queue(codes.length, nowMs);
    if (at === undefined) this.#complain(31931);
    else this.agent.write(at, codes);
    const playsAtMs = at === undefined ? null : at / SAMPLES_PER_MS;
    this.#timeline.add({ kind: "media", ms: codes.length / SAMPLES_PER_MS, playsAtMs });
  }

  #echo(marks: readonly string[], cleared = false): void {
    if (this.#startedMs === undefined) return;
    for (const name of marks) {
      this.sendEvent("mark", { name });
      this.#timeline.add({ kind: "mark", by: "twilio", name, cleared });
    }
  }

  #take<Name extends EventName>(event: Name): MessageOf<Name> | undefined {
    while (this.#taken[event] < this.received.length) {
      const { message } = this.received[this.#taken[event]++]!;
      if (message?.event === event) return message as MessageOf<Name>;
    }
    return undefined;
  }

  #complain(code: ComplaintCode, detail?: string): void {
    if (this.complaints.some((made) => made.code === code)) return;
    const complaint = this.#timeline.complain(code, detail);
    this.complaints.push(complaint);
    this.#onComplaint(complaint);
  }

  #over(end: StreamEnd): void {
    this.#endedMs = this.#timeline.nowMs();
    this.agent.cut(sampleAt(this.#endedMs));
    this.#timeline.add({ kind: "close", by: end.by, code: end.code, reason: end.reason });
    this.#leaveTicker();
    this.#waits.end(`the stream was over (${end.reason || `closed by ${end.by}, code ${end.code}`})`);
  }

  /** Time stands still once the stream is over. */
  #nowMs(): number {
    return this.#endedMs ?? this.#timeline.nowMs();
  }
}
