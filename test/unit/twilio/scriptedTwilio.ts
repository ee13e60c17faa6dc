// A server that answers like Twilio's REST API, one scripted step per request, and keeps what it was asked.
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { SelfSigned } from "./selfSigned.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly form: URLSearchParams;
}

export type Step = (answer: ServerResponse, asked: Asked) => void;

export class ScriptedTwilio implements AsyncDisposable {
  readonly asked: Asked[] = [];
  connections = 0;
  readonly #steps: Step[] = [];
  readonly #server: http.Server;
  readonly #scheme: string;

  private constructor(identity?: SelfSigned) {
    this.#scheme = identity === undefined ? "http" : "https";
    this.#server = identity === undefined ? http.createServer() : https.createServer(identity);
    this.#server.on("connection", () => this.connections++);
    this.#server.on("request", (request, answer) => this.#take(request, answer));
  }

  #take(request: IncomingMessage, answer: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {}); // a step may reset the connection
    request.on("end", () => {
      const { pathname: path, searchParams: query } = new URL(request.url!, "http://twilio");
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const asked = { method: request.method!, path, query, headers: request.headers, form };
      this.asked.push(asked);
      const step = this.#steps.shift() ?? json(500, { message: "the script has no step for this request" });
      step(answer, asked);
    });
  }

  /** Each request takes the next step. */
  will(...steps: Step[]): void {
    this.#steps.push(...steps);
  }

  /** With an identity it speaks TLS. */
  static async listening(identity?: SelfSigned): Promise<ScriptedTwilio> {
    const twilio = new ScriptedTwilio(identity);
    twilio.#server.listen(0, "127.0.0.1");
    await once(twilio.#server, "listening");
    return twilio;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

export function json(status: number, body: object, headers: Record<string, string> = {}): Step {
  return (answer) => {
    answer.writeHead(status, { "Content-Type": "application/json", ...headers });
    answer.end(JSON.stringify(body));
  };
}

export function error(status: number, code: number, message = "in Twilio's words"): Step {
  return json(status, { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status });
}

export function page(status: number, text: string): Step {
  return (answer) => {
    answer.writeHead(status, { "Content-Type": "text/html" });
    answer.end(text);
  };
}

export const hangs: Step = () => {};

export const resets: Step = (answer) => {
  answer.socket!.resetAndDestroy();
};

export const breaksOffInTheBody: Step = (answer) => {
  answer.writeHead(201, { "Content-Type": "application/json", "Content-Length": "1000" });
  answer.write('{"sid":"CA', () => answer.socket!.destroy());
};
