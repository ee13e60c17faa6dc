// Plain HTTP: collects a request's body within bounds, asks the router, answers. Knows no route.
import type { Clock } from "../domain/clock.ts";
import type { HttpResponse } from "../http/http.ts";
import { detail, INTERNAL_ERROR } from "../http/respond.ts";
import type { Router } from "../http/router.ts";
import { Deadlines } from "./deadlines.ts";
import { type FaultLog, guard } from "./guard.ts";
import { type Head, hasBody, isFramedClearly } from "./head.ts";
import type { Reply } from "./reply.ts";

export interface RequestLimits {
  /** Longest body; a longer one is answered with 413. */
  readonly bodyBytes: number;
  /** From the head's arrival to the body's end; later is 408. */
  readonly bodyMs: number;
  /** From a complete request to the handler's answer; later is 500. */
  readonly answerMs: number;
}

export interface RequestOptions {
  readonly router: Router;
  readonly limits: RequestLimits;
  readonly clock: Clock;
  readonly onFault: FaultLog;
}

export interface Requests {
  serve(reply: Reply, head: Head): void;
  /** Gives a final answer without serving the request, and ends its connection. */
  refuse(reply: Reply, response: HttpResponse): void;
  /** Forgets the deadlines of whatever is in flight. */
  stop(): void;
}

/** How late a deadline may be noticed. */
const SWEEP_MS = 100;
/** How long a refused request may go on sending: cut at once, many clients would lose the answer to a reset. */
const LINGER_MS = 250;
const NO_BYTES = new Uint8Array(0);

const AMBIGUOUS = detail(400, "The request's framing is ambiguous.");
const TOO_SLOW = detail(408, "The request's body did not arrive in time.");

export function createRequests({ router, limits, clock, onFault }: RequestOptions): Requests {
  const deadlines = new Deadlines(clock, SWEEP_MS);
  const tooLarge = detail(413, `A body may have ${limits.bodyBytes} bytes at most.`);

  const overdue = guard(
    "HTTP request",
    onFault,
    (_: Reply, { method }: Head) => {
      throw new Error(`no answer to a ${method} within ${limits.answerMs} ms`); // a path may hold a secret
    },
    answerFault,
  );

  const answer = guard(
    "HTTP request",
    onFault,
    (reply: Reply, head: Head, body: Uint8Array) => {
      const { method, path, query, headers } = head;
      const response = router.handle({ method, path, query, headers, body });
      if (!(response instanceof Promise)) return reply.send(response);
      const deadline = deadlines.hold(limits.answerMs, () => overdue(reply, head));
      reply.onceGone(() => deadlines.release(deadline));
      return response.then((late) => reply.send(late));
    },
    answerFault,
  );

  /**
   * Reads the body to its end, then calls `complete` with it; or gives the refusal, the one it was called with
   * or one it finds. A refusal never leaves within the native callback that read the request: while the
   * request is unanswered, uWebSockets.js cuts the connection rather than parse another request after it, and
   * that is what keeps a smuggled one from every handler.
   */
  function receive(
    reply: Reply,
    refused: HttpResponse | undefined,
    complete: (body: Uint8Array) => void,
  ): void {
    let refusal = refused;
    const body = new Body(limits.bodyBytes);
    const refuseNow = (): void => void reply.send(refusal ?? TOO_SLOW, { close: true });
    const deadline = deadlines.hold(refusal ? LINGER_MS : limits.bodyMs, refuseNow);
    reply.onceGone(() => deadlines.release(deadline));
    const take = guard(
      "HTTP body",
      onFault,
      (_: Reply, chunk: ArrayBuffer, isLast: boolean) => {
        if (refusal === undefined && !body.append(chunk)) {
          refusal = tooLarge;
          deadlines.hasten(deadline, LINGER_MS);
        }
        if (!isLast) return;
        deadlines.release(deadline);
        if (refusal === undefined) complete(body.take());
        else setImmediate(refuseNow);
      },
      answerFault,
    );
    reply.onBody((chunk, isLast) => take(reply, chunk, isLast));
  }

  return {
    serve(reply, head) {
      if (!isFramedClearly(head)) return receive(reply, AMBIGUOUS, unreachable);
      if (!hasBody(head)) return answer(reply, head, NO_BYTES);
      const announcedBytes = Number(head.headers.get("content-length") ?? 0);
      const refusal = announcedBytes > limits.bodyBytes ? tooLarge : undefined;
      receive(reply, refusal, (body) => answer(reply, head, body));
    },
    refuse: (reply, response) => receive(reply, response, unreachable),
    stop: () => deadlines.stop(),
  };
}

/** What a request is owed when our own code failed under it. */
export function answerFault(reply: Reply): void {
  reply.send(INTERNAL_ERROR);
}

function unreachable(): never {
  throw new Error("a refused request is not served");
}

/** Chunks copied out of the native buffer, which is reused as soon as a chunk's callback returns. */
class Body {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False, and nothing is kept, when the body has become too long. */
  append(chunk: ArrayBuffer): boolean {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#maxBytes) {
      this.#chunks = [];
      return false;
    }
    if (chunk.byteLength > 0) this.#chunks.push(new Uint8Array(chunk.slice(0)));
    return true;
  }

  take(): Uint8Array {
    const [first = NO_BYTES, ...others] = this.#chunks;
    if (others.length === 0) return first;
    const whole = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return whole;
  }
}
