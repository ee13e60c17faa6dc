// The front: one uWebSockets.js app with plain HTTP and media sockets on one port. Owns sockets and nothing
// else; what requests and streams mean is decided behind the router and the door.
import type { StreamDoor } from "../calls/live/stream.ts";
import type { Clock } from "../domain/clock.ts";
import { GatewayError } from "../domain/errors.ts";
import type { Router } from "../http/router.ts";
import { type FaultLog, guard } from "./guard.ts";
import { readHead } from "./head.ts";
import { createMediaSockets, type MediaLimits } from "./mediaSockets.ts";
import { Reply } from "./reply.ts";
import { answerFault, createRequests, type RequestLimits } from "./requests.ts";
import { SilentPeers, type SilentPeersOptions } from "./silentPeers.ts";
import {
  LIBUS_LISTEN_EXCLUSIVE_PORT,
  type ListenSocket,
  type NativeRequest,
  type NativeResponse,
  newApp,
  type UpgradeContext,
  us_listen_socket_close,
  us_socket_local_port,
} from "./uws.ts";

export interface FrontLimits extends RequestLimits, MediaLimits {
  /**
   * Connections of any kind that there may be now; more are closed as they come. Keep it well under the process's
   * descriptors: with none left, accepting spins a whole core.
   */
  readonly connections: () => number;
  readonly silent: SilentPeersOptions;
}

export interface FrontLog {
  /** A fault of ours that was contained: what failed, in words, and the error. */
  readonly onFault: FaultLog;
  /** A connection was closed at its arrival: there are too many, or too many of its address ask nothing. */
  readonly onConnectionRefused: (why: "limit" | "address") => void;
  /** A media socket closed, with this WebSocket close code; 1006 is a connection that broke off. */
  readonly onSocketClosed: (code: number) => void;
}

export interface FrontOptions {
  readonly router: Router;
  readonly door: StreamDoor;
  /** The public base's path: empty, or `/…` without a slash at its end. Streams answer with it and without. */
  readonly pathPrefix: string;
  readonly limits: FrontLimits;
  readonly clock: Clock;
  readonly log: FrontLog;
}

export interface Front {
  /**
   * Listens, alone on that port; 0 picks a free one. Rejects with `ADDRESS_IN_USE` when it cannot be had.
   * Once per front.
   */
  listen(host: string, port: number): Promise<{ readonly port: number }>;
  /** Takes no new connection from now on; those that are open stay. */
  stopListening(): void;
  /** Stops listening and cuts every connection: handlers of open streams hear `closed(1006)` before it returns. */
  close(): void;
  /** Media sockets open now. */
  sockets(): number;
  /** Connections open now, media sockets among them. */
  connections(): number;
}

export function createFront({ router, door, pathPrefix, limits, clock, log }: FrontOptions): Front {
  const { onFault, onConnectionRefused, onSocketClosed } = log;
  let connections = 0;
  let listening: ListenSocket | undefined;
  let closed = false;

  const silentPeers = new SilentPeers(limits.silent, clock);
  const requests = createRequests({ router, limits, clock, onFault });
  const onClosed = (code: number): void => {
    connections--; // the filter below never hears of the end of a connection that was upgraded
    onSocketClosed(code);
  };
  const media = createMediaSockets({ door, pathPrefix, limits, onFault, onClosed });

  const enter = guard(
    "HTTP request",
    onFault,
    (reply: Reply, request: NativeRequest, context: UpgradeContext | undefined, address: ArrayBuffer) => {
      silentPeers.asked(address);
      const head = readHead(request);
      const streamPath = media.pathOf(head.path);
      if (streamPath === undefined) return requests.serve(reply, head);
      const refusal = media.admit(reply, head, streamPath, context);
      if (refusal !== undefined) requests.refuse(reply, refusal);
    },
    answerFault,
  );
  const onRequest = (native: NativeResponse, request: NativeRequest, context?: UpgradeContext): void => {
    const reply = new Reply(native, request.getCaseSensitiveMethod() === "HEAD", clock);
    enter(reply, request, context, native.getRemoteAddress());
  };

  const app = newApp();
  app.filter(
    guard(
      "connection filter",
      onFault,
      (native: NativeResponse, change: number) => {
        connections += change;
        if (change < 0) return;
        const hasRoom = connections <= limits.connections();
        if (hasRoom && silentPeers.came(native.getRemoteAddress())) return;
        native.close(); // comes back here with -1
        onConnectionRefused(hasRoom ? "address" : "limit");
      },
      () => {},
    ),
  );
  // Any GET with a WebSocket key is an upgrade to uWebSockets.js, wherever it goes: both ways lead to one place.
  app.ws("/*", { ...media.behavior, upgrade: onRequest });
  app.any("/*", (native, request) => onRequest(native, request));

  function stopListening(): void {
    if (listening !== undefined) us_listen_socket_close(listening);
    listening = undefined;
  }

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        app.listen(host, port, LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
          if (socket === false) return reject(addressInUse(host, port));
          listening = socket;
          resolve({ port: us_socket_local_port(socket) });
        });
      }),
    stopListening,
    close() {
      if (closed) return;
      closed = true;
      stopListening();
      app.close();
      requests.stop();
    },
    sockets: () => media.count(),
    connections: () => connections,
  };
}

// The native side says that it failed and not why, so the sentence names what there is to try.
function addressInUse(host: string, port: number): GatewayError {
  return new GatewayError(
    "ADDRESS_IN_USE",
    `Cannot listen on ${host}:${port}: another process has that port, or this machine or user may not use it. ` +
      "Stop the other process, or set HOST and PORT to an address of this machine that is free.",
  );
}
