// One call of a load run: set up as Twilio would, then a tone whose echo is recognised frame by frame.
import { randomBytes } from "node:crypto";
import { Addresses } from "../../twin/addresses.ts";
import { CALLER, VOICE_PATH } from "../../twin/call.ts";
import { CONNECTED, mediaText, readMessage, startBody } from "../../twin/messages.ts";
import { inboundParams } from "../../twin/params.ts";
import { Playback } from "../../twin/playback.ts";
import { FRAME_MS, FRAME_SAMPLES } from "../../twin/track.ts";
import { parseTwiml } from "../../twin/twiml.ts";
import { sendWebhook, signatureHeader } from "../../twin/webhook.ts";
import type { Target } from "../gateway.ts";
import { type Figures, LATE_MS } from "./figures.ts";
import type { Turn } from "./pace.ts";
import { LightSocket } from "./socket.ts";
import { PAYLOAD_CHARACTERS, STEPS, Tone } from "./tones.ts";

/** How many frames an echo may be behind; older sending times are forgotten. */
const REMEMBERED = 512;
const SILENCE_PAYLOAD = Buffer.alloc(FRAME_SAMPLES, 0xff).toString("base64");
/** Where the payload begins in a message written in the usual order of fields. */
const USUAL_PAYLOAD_AT = `{"event":"media","streamSid":"MZ${"0".repeat(32)}","media":{"payload":"`.length;
const USUAL_LENGTH = USUAL_PAYLOAD_AT + PAYLOAD_CHARACTERS + `"}}`.length;
const QUOTE = '"'.charCodeAt(0);
const LETTER_M = "m".charCodeAt(0);
const LETTER_E = "e".charCodeAt(0);
/** Of `{"event":"media"`: where the event's name begins. */
const EVENT_AT = `{"event":"`.length;
const FIRST_TIMESTAMP_MS = 100;
/** Multiples of it, modulo one, are spread evenly however many there are. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

export interface LoadTarget extends Target {
  readonly addresses: Addresses;
}

export class LoadCall implements Turn {
  readonly phaseMs: number;
  readonly #target: LoadTarget;
  readonly #figures: Figures;
  readonly #nowMs: () => number;
  readonly #tone: Tone;
  readonly #callSid = `CA${randomBytes(16).toString("hex")}`;
  readonly #streamSid = `MZ${randomBytes(16).toString("hex")}`;
  readonly #sentMs = new Float64Array(REMEMBERED);
  readonly #playback = new Playback();
  readonly #params: Readonly<Record<string, string>>;
  #socket: LightSocket | undefined;
  #actionUrl: string | undefined;
  /** The start was sent, and the first frame is due; frames of different calls are due at different times. */
  #startedMs = 0;
  #originMs = Number.POSITIVE_INFINITY;
  #sequence = 0;
  /** Media messages sent, those of them that carry the tone, and the number of the frame whose echo comes next. */
  #frames = 0;
  #toned = 0;
  #awaited = 0;
  #isToned = true;
  #hasMarks = false;
  #state: "setting up" | "talking" | "hanging up" | "over" = "setting up";
  readonly #settled = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();

  constructor(number: number, target: LoadTarget, figures: Figures, nowMs: () => number) {
    this.#target = target;
    this.#figures = figures;
    this.#nowMs = nowMs;
    this.#tone = new Tone(number);
    this.phaseMs = Math.floor((number * GOLDEN_RATIO * FRAME_MS) % FRAME_MS);
    const { accountSid, to } = target;
    this.#params = inboundParams({ accountSid, callSid: this.#callSid, from: CALLER, to });
  }

  get isTalking(): boolean {
    return this.#state === "talking";
  }

  /** Resolves when the call is up or has failed. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Resolves when the call is over and its action has been answered. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Webhook, TwiML and upgrade. A failure is counted, never thrown. */
  async dial(): Promise<void> {
    const dialledMs = this.#nowMs();
    const { publicBase, addresses, authToken } = this.#target;
    try {
      const body = await this.#post(publicBase + VOICE_PATH, "ringing");
      this.#figures.toTwiml.add(this.#nowMs() - dialledMs);
      const [verb] = parseTwiml(body);
      if (verb?.verb !== "Connect") throw new Error(`the TwiML began with ${verb?.verb ?? "nothing"}`);
      const { action, stream } = verb;
      if (action !== undefined) this.#actionUrl = Addresses.resolve(action, publicBase + VOICE_PATH);
      const headers = {
        Host: new URL(stream.url).host,
        "User-Agent": "Twilio.TmeWs/1.0",
        ...signatureHeader("valid", authToken, stream.url),
      };
      this.#socket = new LightSocket(addresses.dialable(stream.url), headers, {
        opened: () => this.#begin(stream.parameters, dialledMs),
        message: (bytes, start, end) => this.#hear(bytes, start, end),
        closed: (reason) => void this.#closed(reason),
      });
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
  }

  /** Sends what is due. */
  tick(nowMs: number): void {
    while (this.#originMs + this.#frames * FRAME_MS <= nowMs) this.#sendFrame(nowMs);
    if (!this.#hasMarks) return;
    for (const name of this.#playback.reached(nowMs - this.#startedMs)) this.#sendEvent("mark", { name });
    this.#hasMarks = this.#playback.hasMarks;
  }

  /** From here on the frames are silent, and count for nothing. */
  fallSilent(): void {
    this.#isToned = false;
  }

  /** `stop`, close, action. Frames whose echo has not come by now are lost. */
  hangUp(): void {
    if (this.#state === "over" || this.#state === "hanging up") return;
    if (this.#state === "setting up") return this.#end("it was not set up in time");
    this.#state = "hanging up";
    this.#originMs = Number.POSITIVE_INFINITY;
    const { accountSid } = this.#target;
    this.#sendEvent("stop", { accountSid, callSid: this.#callSid });
    this.#socket?.close();
  }

  /** Gives up waiting for anything. */
  abandon(): void {
    this.#end("it did not end in time");
  }

  #begin(parameters: Readonly<Record<string, string>>, dialledMs: number): void {
    const { accountSid } = this.#target;
    this.#socket?.send(JSON.stringify(CONNECTED));
    const facts = { accountSid, callSid: this.#callSid, streamSid: this.#streamSid, parameters };
    this.#sendEvent("start", startBody(facts));
    this.#startedMs = this.#nowMs();
    this.#figures.toStart.add(this.#startedMs - dialledMs);
    this.#originMs = Math.ceil((this.#startedMs - this.phaseMs) / FRAME_MS) * FRAME_MS + this.phaseMs;
    this.#state = "talking";
    this.#settled.resolve();
  }

  #sendFrame(nowMs: number): void {
    const number = this.#frames++;
    const timestampMs = FIRST_TIMESTAMP_MS + number * FRAME_MS;
    const payload = this.#isToned ? this.#tone.payloads[number % STEPS]! : SILENCE_PAYLOAD;
    this.#socket?.send(mediaText(this.#streamSid, ++this.#sequence, number + 1, timestampMs, payload));
    if (!this.#isToned) return;
    this.#toned = this.#frames;
    this.#sentMs[number % REMEMBERED] = nowMs;
    this.#figures.sent++;
    this.#figures.lateness.add(nowMs - this.#originMs - number * FRAME_MS);
  }

  /** No JSON is parsed for media in the usual order of fields. */
  #hear(bytes: Uint8Array, start: number, end: number): void {
    const nowMs = this.#nowMs();
    const isMedia = bytes[start + EVENT_AT] === LETTER_M && bytes[start + EVENT_AT + 1] === LETTER_E;
    if (isMedia && end - start === USUAL_LENGTH && bytes[start + USUAL_PAYLOAD_AT - 1] === QUOTE) {
      this.#recognise(bytes, start + USUAL_PAYLOAD_AT, nowMs);
    } else {
      this.#read(Buffer.from(bytes.subarray(start, end)).toString("utf8"), nowMs);
    }
  }

  #read(text: string, nowMs: number): void {
    const message = readMessage(text, this.#streamSid);
    if ("fault" in message) return this.#end(message.fault);
    switch (message.event) {
      case "media": {
        const payload = Buffer.from(message.media.payload, "latin1");
        if (payload.length === PAYLOAD_CHARACTERS) this.#recognise(payload, 0, nowMs);
        else this.#figures.foreign++;
        break;
      }
      case "mark":
        this.#playback.mark(message.mark.name);
        this.#hasMarks = true;
        break;
      case "clear":
        for (const name of this.#playback.clear(nowMs - this.#startedMs)) this.#sendEvent("mark", { name });
    }
  }

  /**
   * Echoes come in the order of their frames. A step ahead means that frames in between were lost, up to six of them;
   * a step back that one came twice.
   */
  #recognise(bytes: Uint8Array, at: number, nowMs: number): void {
    const figures = this.#figures;
    this.#playback.queue(FRAME_SAMPLES, nowMs - this.#startedMs);
    const step = this.#tone.recognise(bytes, at);
    const ahead = step === -1 ? -1 : (step - (this.#awaited % STEPS) + STEPS) % STEPS;
    const number = this.#awaited + ahead;
    if (ahead === STEPS - 1) figures.repeated++;
    else if (ahead === -1 || number >= this.#toned) {
      if (this.#isToned) figures.foreign++;
    } else {
      this.#awaited = number + 1;
      const tookMs = nowMs - this.#sentMs[number % REMEMBERED]!;
      figures.received++;
      figures.roundTrip.add(tookMs);
      if (tookMs > LATE_MS) figures.late++;
    }
  }

  #sendEvent(event: string, body: object): void {
    const sequenceNumber = String(++this.#sequence);
    this.#socket?.send(JSON.stringify({ event, sequenceNumber, [event]: body, streamSid: this.#streamSid }));
  }

  async #closed(reason: string): Promise<void> {
    if (this.#state !== "hanging up") return this.#end(reason);
    try {
      if (this.#actionUrl !== undefined) await this.#post(this.#actionUrl, "completed");
      this.#end();
    } catch (error) {
      this.#end(`action: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** The body of a 200; anything else is thrown. */
  async #post(publicUrl: string, callStatus: string): Promise<string> {
    const { addresses, authToken } = this.#target;
    const params = { ...this.#params, CallStatus: callStatus };
    const dialUrl = addresses.dialable(publicUrl);
    const { status, body } = await sendWebhook({ publicUrl, dialUrl, method: "POST", params, authToken });
    if (status !== 200) throw new Error(`the webhook was answered with ${status}`);
    return body;
  }

  #end(failure?: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#originMs = Number.POSITIVE_INFINITY;
    if (failure !== undefined) this.#figures.fail(failure);
    this.#socket?.destroy();
    this.#settled.resolve();
    this.#over.resolve();
  }
}
