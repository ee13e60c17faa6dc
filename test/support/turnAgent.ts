// An agent's server whose turns are timed, as a process of its own: it greets, answers whoever has stopped speaking,
// and cuts every second answer short. What it did when it tells its parent at the end, on the machine's monotonic clock.
import { type WebSocket, WebSocketServer } from "ws";
import { encode } from "../../src/twin/mulaw.ts";
import { tone } from "./sound.ts";

/** By call: when the caller's first silent frame came and the answer went, turn by turn; and when `clear` went. */
export interface TurnTimes {
  readonly turns: (readonly [heardMs: number, answeredMs: number])[];
  readonly clearsMs: number[];
}

/** Beginning of a long answer until it is cut. */
const CUT_AFTER_MS = 300;

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const times: Record<string, TurnTimes> = {};

class Line {
  readonly #socket: WebSocket;
  readonly #isMulaw: boolean;
  #times: TurnTimes = { turns: [], clearsMs: [] };
  #wasLoud = false;

  constructor(socket: WebSocket, isMulaw: boolean) {
    this.#socket = socket;
    this.#isMulaw = isMulaw;
    socket.on("message", (bytes: Buffer, isBinary: boolean) => {
      if (isBinary) this.#hear(bytes);
      else this.#read(JSON.parse(bytes.toString()));
    });
    socket.on("error", () => {}); // the call's end may cut it
  }

  #read(message: { readonly type: string; readonly call?: { readonly call_sid: string } }): void {
    if (message.type !== "hello") return;
    this.#times = times[message.call!.call_sid] ??= this.#times;
    const format = this.#isMulaw
      ? { encoding: "mulaw", rate_hz: 8_000 }
      : { encoding: "pcm16", rate_hz: 16_000 };
    this.#say({ type: "ready", hears: { ...format, message_ms: 20 }, speaks: format });
    this.#utter(200);
  }

  #hear(bytes: Buffer): void {
    // A sample of the caller's tone that is not one of its zeros.
    const isLoud = this.#isMulaw ? bytes.readUInt8(85) !== 0xff : Math.abs(bytes.readInt16LE(340)) > 500;
    const hasStopped = this.#wasLoud && !isLoud;
    this.#wasLoud = isLoud;
    if (!hasStopped) return;
    const heardMs = nowMs();
    const isLong = this.#times.turns.length % 2 === 1;
    this.#utter(isLong ? 1_000 : 200);
    this.#times.turns.push([heardMs, nowMs()]);
    if (isLong) setTimeout(() => this.#cut(), CUT_AFTER_MS);
  }

  #cut(): void {
    this.#times.clearsMs.push(nowMs());
    this.#say({ type: "clear" });
  }

  #utter(ms: number): void {
    this.#say({ type: "utterance_start" });
    this.#socket.send(this.#isMulaw ? MULAW[ms]! : PCM[ms]!);
    this.#say({ type: "utterance_end" });
  }

  #say(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }
}

const MULAW: Record<number, Buffer> = {};
const PCM: Record<number, Buffer> = {};
for (const ms of [200, 1_000]) {
  const samples = tone(500, ms);
  MULAW[ms] = Buffer.from(encode(samples));
  PCM[ms] = Buffer.from(Int16Array.from({ length: 2 * samples.length }, (_, n) => samples[n >> 1]!).buffer);
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", (socket, request) => new Line(socket, request.url === "/mulaw"));
server.on("listening", () => process.send!({ port: (server.address() as { port: number }).port }));
process.on("message", () => process.send!({ times }, () => process.exit(0)));
