// Media sockets: decides upgrades with the door and fits native sockets to what streams ask of a socket. Reads
// no message and keeps no call.
import type { Sent, StreamDoor, StreamHandler, StreamRefusal, StreamSocket } from "../calls/live/stream.ts";
import { assertNever } from "../domain/errors.ts";
import type { HttpResponse } from "../http/http.ts";
import { readings } from "../http/paths.ts";
import { detail } from "../http/respond.ts";
import { type FaultLog, guard } from "./guard.ts";
import { asksForWebSocket, type Head, handshakeKey } from "./head.ts";
import type { Reply } from "./reply.ts";
import type { NativeSocket, SocketBehavior, UpgradeContext } from "./uws.ts";

export interface MediaLimits {
  /** Longest message; a longer one ends its socket (1006 here, a cut connection at the peer). */
  readonly messageBytes: number;
  /** What a socket may hold unsent in our memory, the kernel's own buffers not counted; more is dropped. */
  readonly sendBufferBytes: number;
}

export interface MediaOptions {
  readonly door: StreamDoor;
  readonly pathPrefix: string;
  readonly limits: MediaLimits;
  readonly onFault: FaultLog;
  /** Told of every socket that closed, with its WebSocket close code, before its handler is. */
  readonly onClosed: (code: number) => void;
}

interface Carried {
  readonly media: MediaSocket;
}
type Native = NativeSocket<Carried>;

export interface MediaSockets {
  readonly behavior: SocketBehavior<Carried>;
  /** The path of a stream, without the prefix; undefined for any other path. */
  pathOf(path: string): string | undefined;
  /**
   * Upgrades a request for a stream, at once, or returns the answer that refuses it. `context` is undefined
   * where uWebSockets.js would not upgrade: the key is missing or not 24 characters long.
   */
  admit(
    reply: Reply,
    head: Head,
    path: string,
    context: UpgradeContext | undefined,
  ): HttpResponse | undefined;
  /** Open now. */
  count(): number;
}

const MEDIA = "/media";
const INTERNAL_FAULT = 1011;

const NOT_AN_UPGRADE: HttpResponse = {
  ...detail(426, "This address speaks WebSocket only."),
  headers: { Upgrade: "websocket" },
};

export function createMediaSockets(options: MediaOptions): MediaSockets {
  const { door, pathPrefix, limits, onFault, onClosed } = options;
  let open = 0;

  const faulted = (native: Native): void => native.media.close(INTERNAL_FAULT, "internal error");

  const behavior: SocketBehavior<Carried> = {
    maxPayloadLength: limits.messageBytes,
    maxBackpressure: limits.sendBufferBytes,
    // A full buffer is the call's to judge, by what `send` returned. Closed from in here the socket would
    // die one turn later, as if the peer had hung up.
    closeOnBackpressureLimit: false,
    // Streams have deadlines of their own, which a trickle of bytes cannot put off as it does this one.
    idleTimeout: 0,
    sendPingsAutomatically: false,
    open: guard(
      "stream's opening",
      onFault,
      (native: Native) => {
        open += 1;
        return native.media.opened(native);
      },
      faulted,
    ),
    message: guard(
      "stream's message",
      onFault,
      (native: Native, message: ArrayBuffer, isBinary: boolean) =>
        native.media.handler.message(new Uint8Array(message), isBinary),
      faulted,
    ),
    pong: guard("stream's pong", onFault, (native: Native) => native.media.handler.ponged(), faulted),
    close: guard(
      "stream's closing",
      onFault,
      (native: Native, code: number) => {
        open -= 1;
        onClosed(code);
        return native.media.closed(code);
      },
      () => {},
    ),
  };

  function refuse(reason: StreamRefusal): HttpResponse {
    door.refused(reason);
    return { status: statusOf(reason) };
  }

  return {
    behavior,
    pathOf: (path) => readings(path, pathPrefix).find(isMediaPath),
    admit(reply, head, path, context) {
      if (!asksForWebSocket(head)) return NOT_AN_UPGRADE;
      const key = handshakeKey(head);
      if (key === undefined || context === undefined) return refuse("framing");
      if (head.query !== undefined) return refuse("query");
      if (head.headers.has("origin")) return refuse("origin");
      const token = path.slice(MEDIA.length + 1);
      const signature = head.headers.get("x-twilio-signature") ?? "";
      const verdict = door.admit({ token, path, signature });
      if (typeof verdict === "string") return { status: statusOf(verdict) };
      reply.upgrade({ media: new MediaSocket(verdict) }, key, context);
      return undefined;
    },
    count: () => open,
  };
}

function isMediaPath(path: string): boolean {
  return path === MEDIA || path.startsWith(`${MEDIA}/`);
}

function statusOf(reason: StreamRefusal): number {
  return reason === "framing" ? 400 : 403;
}

/** Forgets the native socket when it closes: every method of that one throws from then on. */
class MediaSocket implements StreamSocket {
  readonly handler: StreamHandler;
  #native: Native | undefined;

  constructor(handler: StreamHandler) {
    this.handler = handler;
  }

  opened(native: Native): unknown {
    this.#native = native;
    return this.handler.opened(this);
  }

  closed(code: number): unknown {
    this.#native = undefined;
    return this.handler.closed(code);
  }

  // Nothing but sending happens in there: a socket that were closed in it would be written to once more.
  sendBoth(first: Uint8Array, second: Uint8Array): readonly [Sent, Sent] {
    let sent: readonly [Sent, Sent] = ["closed", "closed"];
    this.#native?.cork(() => {
      sent = [this.send(first), this.send(second)];
    });
    return sent;
  }

  send(bytes: Uint8Array): Sent {
    if (this.#native === undefined) return "closed";
    const status = this.#native.send(bytes, false) as 0 | 1 | 2;
    switch (status) {
      case 1:
        return "sent";
      case 0:
        return "backpressure";
      case 2:
        return "dropped";
      default:
        return assertNever(status);
    }
  }

  ping(): void {
    this.#native?.ping();
  }

  // Reports the closing before it returns, and cuts the connection about 4 s later if the peer does not.
  close(code: number, reason: string): void {
    this.#native?.end(code, reason);
  }

  drop(): void {
    this.#native?.close();
  }
}
