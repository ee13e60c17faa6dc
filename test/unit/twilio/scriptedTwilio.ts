// A server that answers like Twilio's REST API, one scripted step per request, and keeps what it was asked.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

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
  readonly #server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {}); // a step may reset the connection
    request.on("end", () => {
      const { pathname, searchParams } = new URL(request.url!, "http://twilio");
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const asked = {
        method: request.method!,
        path: pathname,
        query: searchParams,
        headers: request.headers,
        form,
      };
      this.asked.push(asked);
      const step = this.#steps.shift() ?? json(500, { message: "the script has no step for this request" });
      step(answer, asked);
    });
  });

  /** Each request takes the next step. */
  will(...steps: Step[]): void {
    this.#steps.push(...steps);
  }

  static async listening(): Promise<ScriptedTwilio> {
    const twilio = new ScriptedTwilio();
    twilio.#server.on("connection", () => twilio.connections++);
    twilio.#server.listen(0, "127.0.0.1");
    await once(twilio.#server, "listening");
    return twilio;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
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
