// One connection to an agent's server: dials only where an agent may be, says in one word why it failed, and ends
// itself when told to. Knows nothing of what is said over it.
import type { ClientRequestArgs } from "node:http";
import WebSocket, { type ClientOptions, type RawData } from "ws";
import type { ConnectFailure } from "../../../lane/news.ts";
import { pinned, type Resolver } from "./resolver.ts";

/** Of one message from the agent: as much audio as five seconds of pcm16 at 24 kHz. */
const MESSAGE_BYTES_MAX = 256 * 1_024;
/** How long the other side may take to close, before the connection is cut. */
const CLOSE_MS = 2_000;
/** Worth another try a moment later; no other status is. */
const TRANSIENT_STATUS = [408, 425, 429];

export interface AgentServer {
  readonly url: URL;
  readonly secret: string | undefined;
  readonly privateHosts: readonly string[];
}

/** Why there is no connection. */
export interface Failure {
  readonly failure: ConnectFailure;
  /** For the operator; holds no secret, and nothing of the URL but its host. */
  readonly detail: string;
  /** Trying again can't help. */
  readonly isFinal: boolean;
}

/** `failed` or, after `opened`, `lost` comes once and last; after an end of our own neither does. */
export interface SocketListener {
  opened(): void;
  received(bytes: Buffer, isBinary: boolean): void;
  pinged(): void;
  ponged(payload: string): void;
  failed(failure: Failure): void;
  /** `reason` is the server's own word for it, which may hold anything; `why` is ours. */
  lost(code: number, why: string, reason: string): void;
}

/** Newer options of `ws` than its types have. */
interface Options extends ClientOptions, Pick<ClientRequestArgs, "lookup"> {
  readonly closeTimeout: number;
}

export class AgentSocket {
  readonly #listener: SocketListener;
  readonly #server: AgentServer;
  #socket: WebSocket | undefined;
  #hasOpened = false;
  #isOver = false;
  /** What the library said before it closed. */
  #error: NodeJS.ErrnoException | undefined;

  /** Begins to dial; the listener hears nothing before this has returned. */
  constructor(server: AgentServer, resolver: Resolver, nowMs: number, listener: SocketListener) {
    this.#server = server;
    this.#listener = listener;
    void resolver.resolve(server.url, server.privateHosts, nowMs).then((resolved) => {
      if (this.#isOver) return;
      if ("addresses" in resolved) return this.#dial(pinned(resolved.addresses));
      this.#fail(resolved.failure, resolved.detail, resolved.failure === "address");
    });
  }

  /** Bytes that wait in this process, because the kernel takes no more. */
  get bufferedBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  sendText(text: string): void {
    this.#socket?.send(text);
  }

  /** The bytes are the caller's again when this returns: the library masks them into a buffer of its own. */
  sendAudio(audio: Uint8Array | Int16Array): void {
    this.#socket?.send(audio);
  }

  ping(payload: string): void {
    this.#socket?.ping(payload);
  }

  /** Reads nothing more; what has been read already still comes. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Ends it in good order, after a last word; the listener hears nothing more. */
  close(code: number, lastWord: string): void {
    this.#isOver = true;
    if (this.#socket?.readyState !== WebSocket.OPEN) return this.terminate();
    this.#socket.send(lastWord);
    this.#socket.close(code);
    this.#socket.resume(); // or its answer would not be read
  }

  /** Ends it at once; the listener hears nothing more. */
  terminate(): void {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  #dial(lookup: ReturnType<typeof pinned>): void {
    const { url, secret } = this.#server;
    const options: Options = {
      lookup,
      rejectUnauthorized: true, // whatever the environment says
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: MESSAGE_BYTES_MAX,
      closeTimeout: CLOSE_MS,
      ...(secret !== undefined && { headers: { Authorization: `Bearer ${secret}` } }),
    };
    const socket = new WebSocket(url, options);
    this.#socket = socket;
    const listener = this.#listener;
    socket.on("open", () => {
      if (this.#isOver) return;
      this.#hasOpened = true;
      listener.opened();
    });
    socket.on("message", (data: RawData, isBinary: boolean) => {
      if (!this.#isOver) listener.received(data as Buffer, isBinary);
    });
    socket.on("ping", () => {
      if (!this.#isOver) listener.pinged();
    });
    socket.on("pong", (payload) => {
      if (!this.#isOver) listener.ponged(payload.toString("latin1"));
    });
    socket.on("unexpected-response", (_request, { statusCode: status = 0 }) => {
      const isTransient = status >= 500 || TRANSIENT_STATUS.includes(status);
      this.#fail("status", `${url.hostname} answered ${status}, and no WebSocket`, !isTransient);
      socket.terminate();
    });
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", (code, reason) => this.#closed(code, reason.toString("utf8")));
  }

  #closed(code: number, reason: string): void {
    if (this.#isOver) return;
    const { hostname } = this.#server.url;
    if (!this.#hasOpened) {
      const { failure, isFinal } = kindOf(this.#error);
      const why = this.#error?.code ?? this.#error?.message ?? "closed";
      return this.#fail(failure, `no connection to ${hostname} (${why})`, isFinal);
    }
    this.#isOver = true;
    const words = [code, this.#error?.message].filter(Boolean).join(", ");
    this.#listener.lost(code, `${hostname} closed the connection (${words})`, reason);
  }

  #fail(failure: ConnectFailure, detail: string, isFinal: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.failed({ failure, detail, isFinal });
  }
}

/** What an error before the connection was open means. */
function kindOf(error: NodeJS.ErrnoException | undefined): Pick<Failure, "failure" | "isFinal"> {
  const code = error?.code ?? "";
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)$/.test(code))
    return { failure: "refused", isFinal: false };
  if (code === "ETIMEDOUT") return { failure: "timeout", isFinal: false };
  if (/^(ECONNRESET|EPIPE|)$/.test(code)) {
    // Without a code it is the library's own, about an upgrade that was none.
    return error === undefined || code !== ""
      ? { failure: "closed", isFinal: false }
      : { failure: "protocol", isFinal: true };
  }
  if (/^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/.test(code))
    return { failure: "tls", isFinal: true };
  return { failure: "protocol", isFinal: false };
}
