// One HTTP request and its answer, over kept-alive connections, with the one thing a dialler must know when it
// goes wrong: whether a byte of the request has left. It knows nothing of Twilio.
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import type { Answer } from "./failure.ts";

export interface Order {
  readonly method: string;
  /** http or https. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** No answer. `wasSent` false: the other side has certainly not received the request, not even in part. */
export interface Break {
  readonly wasSent: boolean;
  readonly cause: Error;
}

/** Connections per host; further requests wait, and their time runs. */
const SOCKETS_MAX = 20;
const FREE_SOCKETS_MAX = 5;
/**
 * How long a connection is kept idle. A server that closes one just as we write to it leaves us not knowing
 * whether the request arrived, so we close it before servers usually do.
 */
const IDLE_MS = 4_000;
/** A page of 1,000 numbers has about 1.5 MB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const AGENT_OPTIONS: http.AgentOptions = {
  keepAlive: true,
  maxSockets: SOCKETS_MAX,
  maxFreeSockets: FREE_SOCKETS_MAX,
  timeout: IDLE_MS, // a free connection's; one in use only tells its request, which has its own time
};
const CLOSED = "the gateway is closing its connections";

/** Connections to any number of hosts. They belong to no account: credentials are in each request. */
export class Exchanges {
  // Our own agents, or Node's global ones could bring a proxy from the environment.
  readonly #plain = new http.Agent(AGENT_OPTIONS);
  readonly #tls = new https.Agent(AGENT_OPTIONS);
  readonly #live = new Set<http.ClientRequest>();
  #isClosed = false;

  /** Never rejects. `timeoutMs` covers everything from waiting for a connection to the answer's last byte. */
  exchange(order: Order, timeoutMs: number): Promise<Answer | Break> {
    return new Promise((resolve) => {
      if (this.#isClosed) return resolve({ wasSent: false, cause: new Error(CLOSED) });
      const isTls = order.url.protocol === "https:";
      const length =
        order.body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(order.body)) };
      const request = (isTls ? https : http).request(order.url, {
        method: order.method,
        headers: { ...order.headers, ...length },
        agent: isTls ? this.#tls : this.#plain,
        signal: AbortSignal.timeout(timeoutMs),
      });
      let wasSent = false;
      this.#live.add(request);
      request.once("close", () => this.#live.delete(request));
      request.once("socket", (socket) => {
        // Nothing is written before the connection, with TLS and its certificate checked, stands.
        whenConnected(socket, isTls, () => {
          if (request.destroyed) return;
          wasSent = true;
          request.end(order.body);
        });
      });
      const broken = (cause: Error): void => resolve({ wasSent, cause });
      request.on("error", broken);
      request.once("response", (response) => {
        collect(response).then(
          (text) => {
            const retryAfter = response.headers["retry-after"];
            resolve({ status: response.statusCode!, retryAfter, text });
          },
          (cause: Error) => {
            request.destroy();
            broken(cause);
          },
        );
      });
    });
  }

  /** Ends every connection, and with it every exchange under way. Calling it twice is harmless. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#live) request.destroy(new Error(CLOSED));
    this.#plain.destroy();
    this.#tls.destroy();
  }
}

function whenConnected(socket: Socket, isTls: boolean, then: () => void): void {
  const isSecuring = isTls && (socket as { secureConnecting?: boolean }).secureConnecting === true;
  if (socket.connecting || isSecuring) socket.once(isTls ? "secureConnect" : "connect", then);
  else then();
}

async function collect(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
