// An agent's server for stories: a real socket that speaks the protocol when it is let to, and misbehaves in every
// way a server can when it is told to. Written without the gateway's own reader and writer of the protocol.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { after } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { until } from "./until.ts";

/** One text message, either way. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

/** How a connection is received: accepted, left without an answer, cut, or answered with a status. */
export type Reception = "accept" | "ignore" | "cut" | number;

export class AgentServer {
  /** What becomes of connections from now on. */
  reception: Reception = "accept";
  /** What answers `hello`; undefined: nothing does. */
  ready: Message | undefined = { type: "ready" };
  /** Called with every text message after `hello`. */
  onMessage: (message: Message, connection: AgentConnection) => void = () => {};
  /** Called with every message of the caller's audio. */
  onAudio: (audio: Buffer, connection: AgentConnection) => void = () => {};
  /** False: the caller's audio is counted, but not kept. */
  keepsAudio = true;
  readonly connections: AgentConnection[] = [];
  /** Connections that were tried, received or not. */
  tries = 0;
  /** Where an answer with a status sends whoever asks. */
  location: string | undefined;
  #http: Server;
  #port = 0;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#http = this.#create();
  }

  /** Listens on a loopback port until the test file is done. */
  static async start(
    changes: Partial<Pick<AgentServer, "reception" | "ready" | "onMessage" | "onAudio" | "keepsAudio">> = {},
  ) {
    const server = Object.assign(new AgentServer(), changes);
    await server.listen();
    after(() => server.stop());
    return server;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/agent`;
  }

  /** Connections that are there, whatever became of them. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** The newest connection. */
  get last(): AgentConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error("nobody has connected to the agent's server");
    return last;
  }

  /** The connection with that number, from 0 on, once it has said hello. */
  async connection(number = 0): Promise<AgentConnection> {
    await until(`connection ${number} to say hello`, () => this.connections[number]?.hello !== undefined);
    return this.connections[number]!;
  }

  /** Again on the same port after `stop`. */
  async listen(): Promise<void> {
    this.#http = this.#create();
    await new Promise<void>((listening) => this.#http.listen(this.#port, "127.0.0.1", listening));
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  /** As when the process dies: connections are cut, new ones refused. */
  async stop(): Promise<void> {
    // A reset while a shutdown is on its way leaves a handle that never closes, and a process that never ends.
    for (const socket of this.#sockets) {
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
    if (this.#http.listening) await new Promise((closed) => this.#http.close(closed));
  }

  #create(): Server {
    const http = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    http.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
    });
    http.on("upgrade", (request, socket, head) => {
      this.tries++;
      this.#receive(sockets, request, socket, head);
    });
    return http;
  }

  #receive(sockets: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { reception } = this;
    if (reception === "ignore") {
      socket.on("end", () => socket.destroy()).resume();
    } else if (reception === "cut") {
      socket.destroy();
    } else if (typeof reception === "number") {
      const location = this.location === undefined ? "" : `Location: ${this.location}\r\n`;
      socket.end(`HTTP/1.1 ${reception} No\r\n${location}Connection: close\r\nContent-Length: 0\r\n\r\n`);
    } else {
      sockets.handleUpgrade(request, socket, head, (ws) => {
        this.connections.push(new AgentConnection(this, ws, request));
      });
    }
  }
}

/** One connection, as the server has it. */
export class AgentConnection {
  readonly request: IncomingMessage;
  /** Text messages that came, in order. */
  readonly messages: Message[] = [];
  /** Of the caller's audio: messages, and all their bytes. */
  readonly audio: Buffer[] = [];
  audioBytes = 0;
  /** Answers to pings. */
  pongs = 0;
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #ws: WebSocket;

  constructor(server: AgentServer, ws: WebSocket, request: IncomingMessage) {
    this.request = request;
    this.#ws = ws;
    ws.on("error", () => {});
    ws.on("pong", () => {
      this.pongs++;
    });
    ws.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    ws.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        if (server.keepsAudio) this.audio.push(data);
        this.audioBytes += data.length;
        return server.onAudio(data, this);
      }
      const message = JSON.parse(data.toString()) as Message;
      this.messages.push(message);
      if (message.type !== "hello") return server.onMessage(message, this);
      if (server.ready !== undefined) this.send(server.ready);
    });
  }

  /** Bytes that this side has sent and the kernel has not taken, because nobody reads them. */
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  get hello(): Message | undefined {
    return this.messages.find(({ type }) => type === "hello");
  }

  all(type: string): Message[] {
    return this.messages.filter((message) => message.type === type);
  }

  /** The first message of a type, counted from `from` on, once it has come. */
  async next(type: string, from = 0): Promise<Message> {
    await until(`the agent's server to be told ${type}`, () => this.all(type).length > from);
    return this.all(type)[from]!;
  }

  send(message: object): void {
    this.#ws.send(JSON.stringify(message));
  }

  ping(): void {
    this.#ws.ping();
  }

  /** A text frame that need not be a message. */
  sendText(text: string): void {
    this.#ws.send(text);
  }

  say(audio: Uint8Array): void {
    this.#ws.send(audio);
  }

  /** Much audio at once, in messages of 20 ms of mu-law. */
  flood(seconds: number, code = 0x3b): void {
    const frame = Buffer.alloc(160, code);
    for (let frames = seconds * 50; frames > 0; frames--) this.#ws.send(frame);
  }

  /** Takes nothing from the socket, not even pings; `listen` takes it all again. */
  stopReading(): void {
    this.#ws.pause();
  }

  listen(): void {
    this.#ws.resume();
  }

  close(code?: number, reason?: string): void {
    this.#ws.close(code, reason);
  }

  /** As when the process dies. */
  die(): void {
    this.#ws.terminate();
  }
}
