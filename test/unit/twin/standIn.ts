// A gateway's stand-in: answers webhooks and streams as a test tells it to, and keeps what it was sent.
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export interface Seen {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly params: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status?: number;
  readonly contentType?: string;
  readonly body?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever JSON comes
type Message = any;

/** The gateway's end of one stream. */
export class FarEnd {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number }>;
  #wake: () => void = () => {};
  #read = 0;
  #streamSid = "";

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (text) => {
      const message = JSON.parse(text.toString());
      if (message.event === "start") this.#streamSid = message.streamSid;
      this.messages.push(message);
      this.#wake();
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => socket.on("close", (code) => resolve({ code })));
  }

  /** The next message that fits and has not been given out or passed over. */
  async next(fits: (message: Message) => boolean = () => true): Promise<Message> {
    for (;;) {
      while (this.#read < this.messages.length) {
        const message = this.messages[this.#read++];
        if (fits(message)) return message;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  nextEvent(event: string): Promise<Message> {
    return this.next((message) => message.event === event);
  }

  /** Sends so much audio in one message. */
  media(ms: number, code = 0x80): void {
    const payload = Buffer.alloc(ms * 8, code).toString("base64");
    this.send({ event: "media", streamSid: this.#streamSid, media: { payload } });
  }

  mark(name: string): void {
    this.send({ event: "mark", streamSid: this.#streamSid, mark: { name } });
  }

  clear(): void {
    this.send({ event: "clear", streamSid: this.#streamSid });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }
}

export class StandIn {
  readonly base: string;
  readonly seen: Seen[] = [];
  readonly upgrades: { readonly target: string; readonly headers: IncomingHttpHeaders }[] = [];
  /** What webhooks are answered with; by default the TwiML of `connect`, and to actions a Hangup. */
  answer: (seen: Seen) => Answer = (seen) => ({
    body: seen.target.startsWith("/action") ? "<Response><Hangup/></Response>" : this.connect(),
  });
  /** What upgrades are answered with. */
  upgradeStatus = 101;
  /** What happens on every stream; by default nothing. */
  onStream: (far: FarEnd) => void = () => {};
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #farEnds: FarEnd[] = [];
  #wake: () => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
    this.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const { method = "", url: target = "", headers } = request;
        const text = method === "GET" ? target.split("?")[1] : Buffer.concat(chunks).toString();
        const seen = { method, target, headers, params: Object.fromEntries(new URLSearchParams(text)) };
        this.seen.push(seen);
        this.#wake();
        const { status = 200, contentType = "text/xml", body = "" } = this.answer(seen);
        response.writeHead(status, contentType === "" ? {} : { "Content-Type": contentType }).end(body);
      });
    });
    server.on("upgrade", (request, socket, head) => {
      this.upgrades.push({ target: request.url ?? "", headers: request.headers });
      if (this.upgradeStatus !== 101) {
        socket.end(`HTTP/1.1 ${this.upgradeStatus} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
        const far = new FarEnd(accepted);
        this.#farEnds.push(far);
        this.onStream(far);
        this.#wake();
      });
    });
  }

  static async start(): Promise<StandIn> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new StandIn(server);
  }

  /** The TwiML of a call that is answered; `inner` and `after` stand inside and behind the Stream. */
  connect({ action = "/action/1", streamAttributes = "", inner = "", after = "" } = {}): string {
    const url = `${this.base.replace("http", "ws")}/media/token`;
    const actionAttribute = action === "" ? "" : ` action="${action}"`;
    return `<Response><Connect${actionAttribute}><Stream url="${url}" ${streamAttributes}>${inner}</Stream></Connect>${after}</Response>`;
  }

  /** The first stream, as soon as it is there. */
  async firstStream(): Promise<FarEnd> {
    await this.#until(() => this.#farEnds.length > 0);
    return this.#farEnds[0]!;
  }

  /** The first request that fits, as soon as it has come. */
  async request(fits: (seen: Seen) => boolean): Promise<Seen> {
    await this.#until(() => this.seen.some(fits));
    return this.seen.find(fits)!;
  }

  async close(): Promise<void> {
    for (const { socket } of this.#farEnds) socket.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
