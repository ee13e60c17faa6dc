// Callers whose turns are timed: they speak for a while, fall silent, and note when the answer comes. Light, so that
// hundreds of them leave the machine to the gateway.
import { randomBytes } from "node:crypto";
import type { Turn } from "../../src/cli/load/pace.ts";
import { LightSocket } from "../../src/cli/load/socket.ts";
import { CONNECTED, mediaText, startBody } from "../../src/twin/messages.ts";
import { encode } from "../../src/twin/mulaw.ts";
import { inboundParams } from "../../src/twin/params.ts";
import { Playback } from "../../src/twin/playback.ts";
import { FRAME_MS, FRAME_SAMPLES } from "../../src/twin/track.ts";
import { parseTwiml } from "../../src/twin/twiml.ts";
import { sendWebhook } from "../../src/twin/webhook.ts";
import { tone } from "./sound.ts";

/** One turn in so many frames, the first of them spoken. */
const TURN_FRAMES = 110;
const SPOKEN_FRAMES = 30;
/** The greeting is over by then. */
const FIRST_TURN_FRAME = 50;

const SPEECH = Array.from({ length: 5 }, (_, n) => {
  const samples = tone(400, 5 * FRAME_MS).subarray(n * FRAME_SAMPLES, (n + 1) * FRAME_SAMPLES);
  return Buffer.from(encode(samples)).toString("base64");
});
const SILENCE = Buffer.alloc(FRAME_SAMPLES, 0xff).toString("base64");
/** A stretch of silence in base64. */
const QUIET = "////////";

export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export interface CallerTarget {
  readonly origin: string;
  readonly accountSid: string;
  readonly authToken: string;
  readonly to: string;
}

export class TurnCaller implements Turn {
  readonly phaseMs: number;
  readonly callSid = `CA${randomBytes(16).toString("hex")}`;
  /** When the first silent frame of a turn was sent, and when the answer's first frame came. */
  readonly turns: [askedMs: number, answeredMs: number | undefined][] = [];
  readonly clearsMs: number[] = [];
  dialledMs = 0;
  /** When the first sound of the agent came. */
  greetedMs: number | undefined;
  failure: string | undefined;
  readonly #target: CallerTarget;
  readonly #streamSid = `MZ${randomBytes(16).toString("hex")}`;
  readonly #playback = new Playback();
  readonly #offset: number;
  #socket: LightSocket | undefined;
  #originMs = Number.POSITIVE_INFINITY;
  #frames = 0;
  #sequence = 0;

  constructor(number: number, target: CallerTarget) {
    this.phaseMs = (number * 7) % FRAME_MS;
    this.#offset = (number * 37) % TURN_FRAMES;
    this.#target = target;
  }

  async dial(): Promise<void> {
    const { origin, accountSid, authToken, to } = this.#target;
    this.dialledMs = monotonicMs();
    try {
      const publicUrl = `${origin}/api/v1/telephony/inbound/run`;
      const params = inboundParams({ accountSid, callSid: this.callSid, from: "+14155550142", to });
      const { status, body } = await sendWebhook({
        ...{ publicUrl, dialUrl: publicUrl, method: "POST", params, authToken },
      });
      const [verb] = status === 200 ? parseTwiml(body) : [];
      if (verb?.verb !== "Connect") throw new Error(`the webhook was answered ${status} ${verb?.verb}`);
      this.#socket = new LightSocket(
        verb.stream.url,
        { Host: new URL(verb.stream.url).host },
        {
          opened: () => this.#begin(),
          message: (bytes, start, end) =>
            this.#hear(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)),
          closed: (reason) => {
            if (this.#originMs < Number.POSITIVE_INFINITY) this.failure ??= reason;
          },
        },
      );
    } catch (error) {
      this.failure = String(error);
    }
  }

  tick(): void {
    const nowMs = monotonicMs();
    while (this.#originMs + this.#frames * FRAME_MS <= nowMs) this.#sendFrame(nowMs);
    for (const name of this.#playback.reached(nowMs)) this.#send("mark", { name });
  }

  hangUp(): void {
    this.#originMs = Number.POSITIVE_INFINITY;
    this.#send("stop", { accountSid: this.#target.accountSid, callSid: this.callSid });
    this.#socket?.close();
  }

  #begin(): void {
    const { accountSid } = this.#target;
    this.#socket!.send(JSON.stringify(CONNECTED));
    const facts = { accountSid, callSid: this.callSid, streamSid: this.#streamSid, parameters: {} };
    this.#send("start", startBody(facts));
    this.#originMs = monotonicMs();
  }

  #sendFrame(nowMs: number): void {
    const number = this.#frames++;
    const at = number < FIRST_TURN_FRAME ? -1 : (number - FIRST_TURN_FRAME + this.#offset) % TURN_FRAMES;
    const isSpoken = at >= 0 && at < SPOKEN_FRAMES;
    const payload = isSpoken ? SPEECH[number % SPEECH.length]! : SILENCE;
    this.#socket!.send(
      mediaText(this.#streamSid, ++this.#sequence, number + 1, 100 + number * FRAME_MS, payload),
    );
    if (at === SPOKEN_FRAMES) this.turns.push([nowMs, undefined]);
  }

  #hear(message: Buffer): void {
    const nowMs = monotonicMs();
    const text = message.toString("latin1");
    if (text.startsWith('{"event":"media"')) {
      const payload = text.slice(text.indexOf('"payload":"') + 11);
      this.#playback.queue(FRAME_SAMPLES, nowMs);
      if (payload.startsWith(QUIET) && payload.slice(100).startsWith(QUIET)) return;
      this.greetedMs ??= nowMs;
      const turn = this.turns.at(-1);
      if (turn !== undefined) turn[1] ??= nowMs;
      return;
    }
    const { event, mark } = JSON.parse(text);
    if (event === "mark") this.#playback.mark(mark.name);
    if (event !== "clear") return;
    this.clearsMs.push(nowMs);
    for (const name of this.#playback.clear(nowMs)) this.#send("mark", { name });
  }

  #send(event: string, body: object): void {
    const sequenceNumber = String(++this.#sequence);
    this.#socket?.send(JSON.stringify({ event, sequenceNumber, [event]: body, streamSid: this.#streamSid }));
  }
}
