// The WebSocket under a media stream: upgrades as Twilio does, and can end in every way a connection can. Says in
// Twilio's numbers what went wrong; knows nothing of messages.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import WebSocket from "ws";
import type { ComplaintCode } from "./complaints.ts";
import type { Party } from "./timeline.ts";
import { type Signing, signatureHeader } from "./webhook.ts";

export interface SocketOptions {
  /** What is signed. */
  readonly publicUrl: string;
  /** Where to connect. */
  readonly dialUrl: string;
  readonly authToken: string;
  readonly signing: Signing;
  /** On top of Twilio's, or in place of them. */
  readonly headers: Readonly<Record<string, string>>;
  /** False: leaves pings unanswered. */
  readonly answersPings: boolean;
}

/** What the stream above hears. `over` comes exactly once and last. */
export interface SocketListener {
  /** The upgrade was answered. */
  answered(status: number): void;
  opened(): void;
  message(bytes: Buffer, isBinary: boolean): void;
  complain(code: ComplaintCode, detail?: string): void;
  over(end: StreamEnd): void;
}

export interface StreamEnd {
  /** Who ended it; "network" is a connection that broke or never came to be. */
  readonly by: Party;
  /** The WebSocket close code; 1006 when there was no closing handshake. */
  readonly code: number;
  readonly reason: string;
  /** False when there never was a stream. */
  readonly opened: boolean;
}

/** How long the upgrade's answer is waited for; Twilio's real patience is not documented. */
const UPGRADE_TIMEOUT_MS = 5_000;
const OPENING_ERRORS: Readonly<Record<string, ComplaintCode>> = {
  ECONNREFUSED: 31902,
  ENOTFOUND: 31904,
  EHOSTUNREACH: 31904,
  ENETUNREACH: 31904,
};

export class MediaSocket {
  readonly #listener: SocketListener;
  readonly #socket: WebSocket;
  #tcp: Socket | undefined;
  #frozen = false;
  #opened = false;
  #isOver = false;
  /** Who began to end it, where that is known before the socket closes. */
  #endedBy: Party | undefined;

  constructor(options: SocketOptions, listener: SocketListener) {
    const { publicUrl, dialUrl, authToken, signing, headers, answersPings } = options;
    this.#listener = listener;
    const socket = new WebSocket(dialUrl, {
      perMessageDeflate: false,
      autoPong: false,
      handshakeTimeout: UPGRADE_TIMEOUT_MS,
      createConnection: ((target: never) => {
        this.#tcp = dialUrl.startsWith("wss:") ? connectTls(target) : connectTcp(target);
        return this.#tcp;
      }) as typeof connectTcp,
      headers: {
        Host: new URL(publicUrl).host,
        "User-Agent": "Twilio.TmeWs/1.0",
        ...signatureHeader(signing, authToken, publicUrl),
        ...headers,
      },
    });
    this.#socket = socket;
    socket.on("open", () => {
      this.#opened = true;
      this.#tcp?.setNoDelay(true);
      listener.answered(101);
      listener.opened();
    });
    socket.on("message", (bytes: Buffer, isBinary) => listener.message(bytes, isBinary));
    socket.on("ping", (bytes) => {
      if (answersPings && this.isOpen) socket.pong(bytes);
    });
    socket.on("unexpected-response", (request, response) => {
      request.destroy();
      this.#refused(response.statusCode ?? 0);
    });
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", (code, reason) => this.#closed(code, reason.toString()));
  }

  /** Open both ways, as far as this end knows; false while frozen. */
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN && !this.#frozen;
  }

  /** Sends a text frame, or bytes as a binary one; nothing when it isn't open. */
  send(message: string | Uint8Array): void {
    if (this.isOpen) this.#socket.send(message);
  }

  /** The closing handshake; a frozen socket is cut instead. */
  close(code: number, reason: string): void {
    this.#endedBy ??= "twilio";
    if (this.#frozen) this.#socket.terminate();
    else this.#socket.close(code, reason);
  }

  /** Ends without a closing handshake: "reset" with a TCP RST, "cut" with a FIN. */
  break(how: "reset" | "cut"): void {
    this.#endedBy ??= "network";
    if (how === "reset") this.#tcp?.resetAndDestroy();
    else this.#socket.terminate();
  }

  /** Goes dead while the connection stays open: nothing is sent, read or answered from here on. */
  freeze(): void {
    this.#frozen = true;
    this.#socket.pause();
  }

  #refused(status: number): void {
    this.#listener.answered(status);
    this.#listener.complain(31920, `status ${status}`);
    this.#over({
      by: "gateway",
      code: 1006,
      reason: `the upgrade was answered with ${status}`,
      opened: false,
    });
  }

  #failed(error: NodeJS.ErrnoException): void {
    const code = error.code ?? "";
    if (this.#opened && code.startsWith("WS_ERR_")) {
      this.#listener.complain(31924, error.message);
      this.#endedBy ??= "gateway";
    } else if (!this.#opened && !this.#isOver && this.#endedBy === undefined) {
      const timedOut = error.message === "Opening handshake has timed out";
      this.#listener.complain(timedOut ? 31901 : (OPENING_ERRORS[code] ?? 31920), error.message);
      this.#over({ by: "network", code: 1006, reason: error.message, opened: false });
    }
  }

  #closed(code: number, reason: string): void {
    const by = this.#endedBy ?? (code === 1006 ? "network" : "gateway");
    if (this.#endedBy === undefined && !this.#isOver) {
      if (by === "network") this.#listener.complain(31903);
      else this.#listener.complain(31921, reason === "" ? `code ${code}` : `code ${code}, ${reason}`);
    }
    this.#over({ by, code, reason, opened: this.#opened });
  }

  #over(end: StreamEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.over(end);
  }
}
