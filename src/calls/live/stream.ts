// What calls need of a media socket and offer to it. Implemented for uWebSockets.js in front/.

/** Why an upgrade was refused. Labels `linecard_stream_refused_total`. */
export const STREAM_REFUSALS = [
  "framing", // duplicate or odd framing headers, wrong WebSocket version or key: 400
  "origin", // a browser: 403
  "query", // Twilio never sends one: 403
  "signature", // missing or wrong, where the public base is https: 403
  "token_absent", // all of these: 403
  "token_malformed",
  "token_forged",
  "token_expired",
  "token_used",
] as const;
export type StreamRefusal = (typeof STREAM_REFUSALS)[number];

export interface Upgrade {
  /** What stands after `/media/`, not decoded; empty when nothing does. */
  readonly token: string;
  /** The raw path without the public base's prefix. */
  readonly path: string;
  /** The X-Twilio-Signature header; empty when missing. */
  readonly signature: string;
}

/** Decides upgrades. Synchronous, because an upgrade that waits may lose its connection. */
export interface StreamDoor {
  /** The stream's handler, with its token now used, or the reason it is refused, counted. Never throws. */
  admit(upgrade: Upgrade): StreamHandler | StreamRefusal;
  /** Counts an upgrade that was refused before it came to `admit`. */
  refused(reason: StreamRefusal): void;
}

/** One accepted socket's events, in order: opened, then messages and pongs, then closed once. */
export interface StreamHandler {
  opened(socket: StreamSocket): void;
  /** `bytes` are valid during this call only: copy what you keep. */
  message(bytes: Uint8Array, isBinary: boolean): void;
  ponged(): void;
  /** No method of the socket does anything from here on. */
  closed(code: number): void;
}

/** What became of a frame. Dropped: too much is waiting for the peer already. */
export type Sent = "sent" | "backpressure" | "dropped" | "closed";

/** A media socket, safe to touch at any time: after close every method does nothing. */
export interface StreamSocket {
  /** Sends one text frame. `bytes` may be reused as soon as this returns. */
  send(bytes: Uint8Array): Sent;
  /** Sends two in one packet, which costs as much as sending one. */
  sendBoth(first: Uint8Array, second: Uint8Array): readonly [Sent, Sent];
  ping(): void;
  /** Closes with a WebSocket close code (1000, 1001, 1008). */
  close(code: number, reason: string): void;
  /** Cuts the connection without a closing handshake. */
  drop(): void;
}
