// The words between Linecard and an agent's server, version 1: what each side may say and how it is read and
// written. Text only; audio is bytes beside it. Knows no socket and no call. The same in JSON Schema, for servers:
// docs/agent-protocol.schema.json.
import { AGENT_RATES_HZ, CARRIER_RATE_HZ, FRAME_MS } from "../../../domain/audio.ts";
import type { AudioFormat, CallFacts, Cut } from "../port.ts";

export const VERSION = 1;
/** Of a text frame from the agent; longer ones are malformed. */
export const TEXT_BYTES_MAX = 64 * 1_024;
/** Longest message of the caller's audio an agent may ask for. */
export const MESSAGE_MS_MAX = 100;
const NAME_MAX = 64;
const RESUME_ID = /^[\x21-\x7e]{1,48}$/;
const RATES_HZ: readonly unknown[] = AGENT_RATES_HZ.filter((rateHz) => rateHz <= 24_000);

export interface Ready {
  readonly type: "ready";
  readonly hears: AudioFormat;
  /** Frames of the caller's audio in one message. */
  readonly framesPerMessage: number;
  readonly speaks: AudioFormat;
  readonly resumeId: string | undefined;
}

/** What an agent may say. */
export type FromAgent =
  | Ready
  | {
      readonly type: "utterance_start";
      readonly id: string | undefined;
      readonly text: string;
      /** The newest interruption that the agent knew of when it wrote this. */
      readonly interruption: number | undefined;
    }
  | { readonly type: "utterance_end"; readonly text: string | undefined }
  | { readonly type: "mark"; readonly name: string }
  | { readonly type: "clear" }
  | { readonly type: "transcript"; readonly role: "caller" | "agent"; readonly text: string }
  | { readonly type: "hang_up"; readonly when: "heard" | "now" }
  | { readonly type: "send_digits" }
  | { readonly type: "transfer" }
  | { readonly type: "error"; readonly message: string; readonly isFatal: boolean };

/** A text frame that was not understood: `type` is its own, where it has one. */
export interface Malformed {
  readonly type: "malformed";
  readonly of: string | null;
  readonly why: string;
}

/** Why a message was not obeyed, as the agent is told. */
export type ErrorCode = "not_supported" | "malformed" | "early" | "too_many";

class Wrong extends Error {}

/** Reads one text frame; never throws. Fields nobody knows are ignored, so that later versions may add some. */
export function readMessage(bytes: Buffer): FromAgent | Malformed {
  if (bytes.length > TEXT_BYTES_MAX)
    return malformed(null, `a text frame holds at most ${TEXT_BYTES_MAX} bytes`);
  let message: unknown;
  try {
    message = JSON.parse(bytes.toString("utf8"));
  } catch {
    return malformed(null, "a text frame must be JSON");
  }
  if (!isObject(message) || typeof message.type !== "string")
    return malformed(null, "a text frame must be a JSON object with a type");
  const { type } = message;
  const known = Object.hasOwn(READERS, type) ? READERS[type as keyof typeof READERS] : undefined;
  if (known === undefined) return malformed(type.slice(0, NAME_MAX), "there is no message of this type");
  try {
    return known(message);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return malformed(type, error.message);
  }
}

type Fields = Readonly<Record<string, unknown>>;

const READERS: { readonly [Type in FromAgent["type"]]: (fields: Fields) => FromAgent } = {
  ready(fields) {
    const { hears, speaks } = fields;
    const wanted = audioFields("hears", hears);
    return {
      type: "ready",
      hears: audioFormat("hears", wanted),
      framesPerMessage: framesPerMessage(wanted.message_ms ?? FRAME_MS),
      speaks: audioFormat("speaks", audioFields("speaks", speaks)),
      resumeId: resumeId(fields.resume_id ?? undefined),
    };
  },
  utterance_start: (fields) => ({
    type: "utterance_start",
    id: fields.id === undefined || fields.id === null ? undefined : name("id", fields.id),
    text: text("text", fields.text ?? ""),
    interruption: interruption(fields.interruption ?? undefined),
  }),
  utterance_end: (fields) => ({
    type: "utterance_end",
    text: fields.text === undefined || fields.text === null ? undefined : text("text", fields.text),
  }),
  mark: (fields) => ({ type: "mark", name: name("name", fields.name) }),
  clear: () => ({ type: "clear" }),
  transcript: (fields) => ({
    type: "transcript",
    role: oneOf("role", fields.role, ["caller", "agent"]),
    text: text("text", fields.text),
  }),
  hang_up: (fields) => ({ type: "hang_up", when: oneOf("when", fields.when ?? "heard", ["heard", "now"]) }),
  // Not obeyed, whatever they say.
  send_digits: () => ({ type: "send_digits" }),
  transfer: () => ({ type: "transfer" }),
  error: (fields) => ({
    type: "error",
    message: text("message", fields.message),
    isFatal: boolean("fatal", fields.fatal ?? false),
  }),
};

function audioFields(field: string, value: unknown): Fields {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new Wrong(`${field} must be an object`);
  return value;
}

function audioFormat(field: string, { encoding, rate_hz: given }: Fields): AudioFormat {
  if (oneOf(`${field}.encoding`, encoding ?? "mulaw", ["mulaw", "pcm16"]) === "mulaw") {
    if ((given ?? CARRIER_RATE_HZ) !== CARRIER_RATE_HZ)
      throw new Wrong(`${field}.rate_hz must be 8000 for mulaw`);
    return { encoding: "mulaw", rateHz: CARRIER_RATE_HZ };
  }
  if (!RATES_HZ.includes(given))
    throw new Wrong(`${field}.rate_hz must be ${RATES_HZ.join(" or ")} for pcm16`);
  return { encoding: "pcm16", rateHz: given as AudioFormat["rateHz"] };
}

function framesPerMessage(messageMs: unknown): number {
  const frames = typeof messageMs === "number" ? messageMs / FRAME_MS : Number.NaN;
  if (!Number.isInteger(frames) || frames < 1 || frames > MESSAGE_MS_MAX / FRAME_MS)
    throw new Wrong("hears.message_ms must be 20, 40, 60, 80 or 100");
  return frames;
}

function resumeId(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !RESUME_ID.test(value))
    throw new Wrong("resume_id must be 1 to 48 ASCII characters without spaces");
  return value;
}

function interruption(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new Wrong("interruption must be the number of an interruption, or 0");
  return value as number;
}

function name(field: string, value: unknown): string {
  if (typeof value !== "string" || value === "" || [...value].length > NAME_MAX)
    throw new Wrong(`${field} must be 1 to ${NAME_MAX} characters`);
  return value;
}

function boolean(field: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new Wrong(`${field} must be true or false`);
  return value;
}

function text(field: string, value: unknown): string {
  if (typeof value !== "string") throw new Wrong(`${field} must be a string`);
  return value;
}

function oneOf<const Word extends string>(field: string, value: unknown, words: readonly Word[]): Word {
  const word = words.find((each) => each === value);
  if (word === undefined) throw new Wrong(`${field} must be ${words.join(" or ")}`);
  return word;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(of: string | null, why: string): Malformed {
  return { type: "malformed", of, why };
}

/** The first message of every connection. */
export function hello(call: CallFacts, isResumed: boolean): string {
  return JSON.stringify({
    type: "hello",
    version: VERSION,
    call: {
      run_id: call.run,
      call_sid: call.callSid,
      account_sid: call.accountSid,
      direction: call.direction,
      from: call.from,
      to: call.to,
      workflow: call.workflow,
      variables: call.variables,
      parameters: call.parameters,
    },
    resumed: isResumed,
  });
}

/** Follows `hello` where the agent takes over a call that is going on. */
export interface Takeover {
  /** What died: the media worker that had the agent's socket, or the socket itself. */
  readonly lost: "worker" | "socket";
  readonly heardMs: number;
  /** What the agent left behind in its last `ready`; empty: nothing. */
  readonly resumeId: string;
  /** How long nobody was there; undefined: not known. */
  readonly awayMs: number | undefined;
}

export function resumed({ lost, heardMs, resumeId, awayMs }: Takeover): string {
  return JSON.stringify({
    type: "resumed",
    lost,
    heard_ms: Math.round(heardMs),
    resume_id: resumeId === "" ? null : resumeId,
    away_ms: awayMs === undefined ? null : Math.round(awayMs),
  });
}

export function dtmf(digit: string): string {
  return JSON.stringify({ type: "dtmf", digit });
}

export function mark(name: string, heardMs: number): string {
  return JSON.stringify({ type: "mark", name, heard_ms: Math.round(heardMs) });
}

/** `number` counts the caller's interruptions on this connection. */
export function interrupted(cut: Cut, number: number): string {
  return JSON.stringify({
    type: "interrupted",
    by: cut.by,
    utterance: cut.utterance ?? null,
    heard_ms: Math.round(cut.heardMs),
    heard_text: cut.heardText,
    number,
  });
}

export function ended(reason: string): string {
  return JSON.stringify({ type: "ended", reason });
}

/** `inReplyTo` is the type of the message that was not obeyed: `audio` for bytes, null where it had none. */
export function error(code: ErrorCode, message: string, inReplyTo: string | null): string {
  return JSON.stringify({ type: "error", code, message, in_reply_to: inReplyTo });
}
