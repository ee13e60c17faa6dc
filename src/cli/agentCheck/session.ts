// One connection to a developer's server, as the gateway would have it: sends the caller's audio in real time, plays
// what the server says on a clock of its own, answers its marks and clears, and writes down all that comes.
import WebSocket from "ws";
import { realClock, Ticker, Waits } from "../../twin/clock.ts";
import { encode } from "../../twin/mulaw.ts";
import { FRAME_MS, RATE_HZ } from "../../twin/track.ts";
import { messageProblem } from "./schema.ts";

const TEXT_BYTES_MAX = 64 * 1_024;
const AUDIO_BYTES_MAX = 256 * 1_024;
const TEXTS_PER_S = 100;
const FRAME = (RATE_HZ * FRAME_MS) / 1_000;
const OPEN_MS = 3_000;

interface Format {
  readonly encoding: "mulaw" | "pcm16";
  readonly rateHz: number;
  readonly messageMs: number;
}

export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

const MULAW: Format = { encoding: "mulaw", rateHz: RATE_HZ, messageMs: FRAME_MS };

export class Session {
  readonly messages: { readonly atMs: number; readonly message: Message }[] = [];
  readonly audios: { readonly atMs: number; readonly bytes: number }[] = [];
  /** What was wrong with anything the server sent; each once. */
  readonly problems = new Set<string>();
  hears = MULAW;
  speaks = MULAW;
  closed: { readonly code: number } | undefined;
  readonly #socket: WebSocket;
  readonly #ticker = new Ticker(realClock);
  readonly #waits = new Waits(this.#ticker);
  #stop: (() => void) | undefined;
  /** What the caller has yet to say: 16-bit samples at the telephone's rate. */
  #speech: Int16Array = new Int16Array(0);
  #spokenMs = 0;
  /** When the last of what was said will have been heard. */
  #heardAtMs = 0;
  #marks: { readonly name: string; readonly atMs: number }[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#said(data);
      else this.#told(data);
      this.#waits.check();
    });
    socket.on("close", (code) => {
      this.closed = { code };
      this.#stop?.();
      this.#waits.check();
    });
  }

  /** Rejects with an Error whose message says why there is no connection. */
  static async open(url: string, secret: string | undefined): Promise<Session> {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      handshakeTimeout: OPEN_MS,
      ...(secret !== undefined && { headers: { Authorization: `Bearer ${secret}` } }),
    });
    const session = new Session(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.on("open", resolve);
    socket.on("error", reject);
    await promise;
    return session;
  }

  get nowMs(): number {
    return realClock.nowMs();
  }

  /** Milliseconds of what the server said that the caller has yet to hear. */
  get waitingMs(): number {
    return Math.max(0, this.#heardAtMs - this.nowMs);
  }

  get isSpeaking(): boolean {
    return this.#speech.length > 0;
  }

  /** The server has ended the call, one way or the other. */
  get isLeaving(): boolean {
    return this.closed !== undefined || this.all("hang_up").length > 0;
  }

  all(type: string): Message[] {
    return this.messages.flatMap(({ message }) => (message.type === type ? [message] : []));
  }

  /** Whether it comes to that in time; not, once the connection is closed. */
  async until(probe: () => boolean, timeoutMs: number): Promise<boolean> {
    const isSettled = () => probe() || this.closed !== undefined || undefined;
    await this.#waits.until("it", isSettled, timeoutMs).catch(() => {});
    return probe();
  }

  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Begins to send the caller's audio, silence where they say nothing, in the formats of a `ready`. */
  beginAudio({ hears, speaks }: Message): void {
    this.hears = formatOf(hears);
    this.speaks = formatOf(speaks);
    const sinceMs = this.nowMs;
    this.#stop = this.#ticker.join((nowMs) => {
      while (this.#spokenMs + this.hears.messageMs <= nowMs - sinceMs) this.#speak();
      this.#marksHeard(nowMs);
    });
  }

  /** The caller says this, 16-bit samples at 8 kHz. */
  say(speech: Int16Array): void {
    this.#speech = speech;
  }

  /** The caller speaks over it: what has not been heard is unsaid. */
  interrupt(by: "caller" | "agent", number: number): void {
    const heardMs = Math.round(Math.max(0, this.#saidMs() - this.waitingMs));
    this.#heardAtMs = this.nowMs;
    this.#marks = [];
    const utterance = this.all("utterance_start").at(-1)?.id ?? null;
    this.send({ type: "interrupted", by, utterance, heard_ms: heardMs, heard_text: "", number });
  }

  async end(reason: string): Promise<boolean> {
    this.send({ type: "ended", reason });
    this.#stop?.();
    this.#socket.close(1_000);
    return this.until(() => this.closed !== undefined, 2_000);
  }

  /** As when the gateway's connection is lost. */
  drop(): void {
    this.#stop?.();
    this.#socket.terminate();
  }

  #saidMs(): number {
    return this.audios.reduce((sum, { bytes }) => sum + bytes, 0) / bytesPerMs(this.speaks);
  }

  #speak(): void {
    const { encoding, rateHz, messageMs } = this.hears;
    const samples = new Int16Array((FRAME * messageMs) / FRAME_MS);
    samples.set(this.#speech.subarray(0, samples.length));
    this.#speech = this.#speech.subarray(samples.length);
    this.#spokenMs += messageMs;
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(encoding === "mulaw" ? encode(samples) : faster(samples, rateHz / RATE_HZ));
  }

  #marksHeard(nowMs: number): void {
    while (this.#marks[0] !== undefined && this.#marks[0].atMs <= nowMs) {
      const { name } = this.#marks.shift()!;
      this.send({ type: "mark", name, heard_ms: Math.round(this.#saidMs()) });
    }
  }

  #said(audio: Buffer): void {
    const atMs = this.nowMs;
    this.audios.push({ atMs, bytes: audio.length });
    if (this.all("ready").length === 0) this.problems.add("it sends audio before ready");
    if (this.speaks.encoding === "pcm16" && audio.length % 2 !== 0)
      this.problems.add("a message of pcm16 has an odd number of bytes");
    if (audio.length > AUDIO_BYTES_MAX)
      this.problems.add(`a message of audio is longer than ${AUDIO_BYTES_MAX} bytes`);
    this.#heardAtMs = Math.max(this.#heardAtMs, atMs) + audio.length / bytesPerMs(this.speaks);
  }

  #told(text: Buffer): void {
    const message = parsed(text);
    const problem =
      text.length > TEXT_BYTES_MAX ? "a text frame is longer than 64 KiB" : messageProblem(message);
    if (problem !== undefined) this.problems.add(problem);
    if (!isMessage(message)) return;
    const atMs = this.nowMs;
    this.messages.push({ atMs, message });
    if (this.messages.filter((each) => atMs - each.atMs < 1_000).length > 3 * TEXTS_PER_S)
      this.problems.add(`it sends far more than ${TEXTS_PER_S} messages a second`);
    if (message.type === "clear") this.interrupt("agent", 0);
    if (message.type === "mark" && problem === undefined)
      this.#marks.push({ name: message.name as string, atMs: Math.max(this.#heardAtMs, atMs) });
    if (message.type === "send_digits" || message.type === "transfer")
      this.problems.add(`${message.type} is not supported in version 1 of the protocol`);
  }
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** Of what a `ready` names, or leaves out. */
function formatOf(given: unknown): Format {
  const { encoding, rate_hz, message_ms } = (given ?? {}) as Record<string, unknown>;
  return {
    encoding: encoding === "pcm16" ? "pcm16" : "mulaw",
    rateHz: typeof rate_hz === "number" ? rate_hz : RATE_HZ,
    messageMs: typeof message_ms === "number" ? message_ms : FRAME_MS,
  };
}

function bytesPerMs({ encoding, rateHz }: Format): number {
  return ((encoding === "mulaw" ? 1 : 2) * rateHz) / 1_000;
}

/** So many times the samples, on straight lines between them: good enough for a server to hear speech. */
function faster(samples: Int16Array, times: number): Uint8Array {
  const bytes = Buffer.alloc(samples.length * times * 2);
  for (let n = 0; n < samples.length * times; n++) {
    const at = Math.floor(n / times);
    const next = samples[Math.min(at + 1, samples.length - 1)]!;
    const part = n / times - at;
    bytes.writeInt16LE(Math.round(samples[at]! * (1 - part) + next * part), n * 2);
  }
  return bytes;
}
