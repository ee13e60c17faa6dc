// The messages on a media stream, from Twilio's documentation of them. The twin's own: it writes what the gateway
// must read and is strict about what the gateway writes.

/** What a gateway may send. */
export type GatewayMessage =
  | { readonly event: "media"; readonly streamSid: string; readonly media: { readonly payload: string } }
  | { readonly event: "mark"; readonly streamSid: string; readonly mark: { readonly name: string } }
  | { readonly event: "clear"; readonly streamSid: string };

/** The stream's introduction. */
export const CONNECTED = { event: "connected", protocol: "Call", version: "1.0.0" } as const;

export interface StartFacts {
  readonly accountSid: string;
  readonly callSid: string;
  readonly streamSid: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The `start` object. Rate and channels are numbers; nearly all other numbers on a stream are strings. */
export function startBody({ accountSid, callSid, streamSid, parameters }: StartFacts): object {
  return {
    accountSid,
    streamSid,
    callSid,
    tracks: ["inbound"],
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
    customParameters: parameters,
  };
}

/** One media message as text, by concatenation: this is built fifty times a second for every call. */
export function mediaText(
  streamSid: string,
  sequence: number,
  chunk: number,
  timestampMs: number,
  payload: string,
): string {
  return `{"event":"media","sequenceNumber":"${sequence}","media":{"track":"inbound","chunk":"${chunk}","timestamp":"${timestampMs}","payload":"${payload}"},"streamSid":"${streamSid}"}`;
}

/** What is wrong with a message, as it would be said under Twilio's 31951. */
export interface Fault {
  readonly fault: string;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A text frame from the gateway, or its fault. Extra fields are a fault too: Twilio says so. */
export function readMessage(text: string, streamSid: string): GatewayMessage | Fault {
  const message = parse(text);
  if (!isObject(message)) return { fault: `not a JSON object: ${excerpt(text)}` };
  const event = message.event;
  if (event !== "media" && event !== "mark" && event !== "clear") {
    return { fault: `unknown event: ${excerpt(text)}` };
  }
  const body = message[event];
  const fields = event === "clear" ? ["event", "streamSid"] : ["event", "streamSid", event];
  const fault =
    wrongFields(event, message, fields) ??
    (message.streamSid === streamSid ? undefined : `${event} with another stream's streamSid`) ??
    (event === "media" ? mediaFault(body) : event === "mark" ? markFault(body) : undefined);
  return fault === undefined ? (message as unknown as GatewayMessage) : { fault };
}

function mediaFault(media: unknown): string | undefined {
  if (!isObject(media)) return "media is not an object";
  const { payload } = media;
  if (typeof payload !== "string" || payload === "") return "media has no payload";
  return (
    wrongFields("media.media", media, ["payload"]) ??
    (BASE64.test(payload) ? undefined : "payload is not base64")
  );
}

function markFault(mark: unknown): string | undefined {
  if (!isObject(mark)) return "mark is not an object";
  if (typeof mark.name !== "string" || mark.name === "") return "mark has no name";
  return wrongFields("mark.mark", mark, ["name"]);
}

function wrongFields(
  where: string,
  object: Record<string, unknown>,
  fields: readonly string[],
): string | undefined {
  const missing = fields.find((field) => !Object.hasOwn(object, field));
  if (missing !== undefined) return `${where} lacks ${missing}`;
  const extra = Object.keys(object).find((field) => !fields.includes(field));
  return extra === undefined ? undefined : `${where} has ${extra}, which is none of its fields`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function excerpt(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
