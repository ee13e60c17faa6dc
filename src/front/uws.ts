// uWebSockets.js as the rest of front/ sees it: just what we use, typed as the binary behaves, which is not
// always what the package's own types say.

import type {
  HttpRequest,
  HttpResponse,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from "uWebSockets.js";
import * as binary from "uWebSockets.js";

export { us_listen_socket_close, us_socket_local_port } from "uWebSockets.js";

export type NativeResponse = HttpResponse;
export type UpgradeContext = us_socket_context_t;
export type ListenSocket = us_listen_socket;
/** The properties of the upgrade's user data are copied onto the socket. */
export type NativeSocket<UserData> = WebSocket<UserData> & UserData;

/** Valid only during the callback it was handed to. */
export interface NativeRequest extends Omit<HttpRequest, "getQuery"> {
  /** Raw, without its `?`; undefined when the target has no `?`, empty when nothing follows it. */
  getQuery(): string | undefined;
}

export interface SocketBehavior<UserData> {
  /** Bytes of the longest message; the socket of a longer one is cut. */
  readonly maxPayloadLength: number;
  /** Bytes held for a socket beyond the kernel's buffers; what would exceed them is not sent. */
  readonly maxBackpressure: number;
  readonly closeOnBackpressureLimit: boolean;
  /** Seconds without a byte either way; 0: no limit. */
  readonly idleTimeout: number;
  readonly sendPingsAutomatically: boolean;
  readonly open: (socket: NativeSocket<UserData>) => void;
  readonly message: (socket: NativeSocket<UserData>, message: ArrayBuffer, isBinary: boolean) => void;
  readonly pong: (socket: NativeSocket<UserData>) => void;
  readonly close: (socket: NativeSocket<UserData>, code: number) => void;
}

interface Upgrading {
  readonly upgrade: (response: NativeResponse, request: NativeRequest, context: UpgradeContext) => void;
}

export interface NativeApp {
  any(pattern: string, handle: (response: NativeResponse, request: NativeRequest) => void): unknown;
  ws<UserData>(pattern: string, behavior: SocketBehavior<UserData> & Upgrading): unknown;
  /** `change` is 1 for a new connection, −1 for one that closed without having been upgraded. */
  filter(changed: (response: NativeResponse, change: number) => void): unknown;
  listen(
    host: string,
    port: number,
    options: number,
    listening: (socket: ListenSocket | false) => void,
  ): unknown;
  close(): unknown;
}

/** For `listen`. Without it two processes share a port in silence, each getting half of the calls. */
export const { LIBUS_LISTEN_EXCLUSIVE_PORT } = binary as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number };

/** An app without TLS, which ends at the proxy in front of us. */
export function newApp(): NativeApp {
  return binary.App() as unknown as NativeApp;
}
