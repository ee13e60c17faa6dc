// Getting a port for this process alone, and saying why it cannot be had.
import { once } from "node:events";
import { createServer } from "node:net";
import { GatewayError } from "../domain/errors.ts";
import { LIBUS_LISTEN_EXCLUSIVE_PORT, type ListenSocket, type NativeApp } from "./uws.ts";

/**
 * Listens on a port nobody else listens on; 0 picks a free one. Rejects with `ADDRESS_IN_USE`.
 *
 * uWebSockets.js binds exclusively without SO_REUSEADDR, and so fails for a minute after a restart, as long as
 * old connections linger in TIME_WAIT; any other way it shares the port with whoever listens there already,
 * each getting half of the calls. So a failed exclusive bind is tried again shared, once the port has been
 * seen to have no other listener.
 */
export async function listenAlone(app: NativeApp, host: string, port: number): Promise<ListenSocket> {
  const alone = await listen(app, host, port, LIBUS_LISTEN_EXCLUSIVE_PORT);
  if (alone !== undefined) return alone;
  const obstacle = await findObstacle(host, port);
  const shared = obstacle === undefined ? await listen(app, host, port, SHARED) : undefined;
  if (shared !== undefined) return shared;
  throw new GatewayError("ADDRESS_IN_USE", `Cannot listen on ${host}:${port}: ${advice(obstacle)}`, {
    cause: obstacle,
  });
}

/** SO_REUSEADDR and SO_REUSEPORT. */
const SHARED = 0;

function listen(
  app: NativeApp,
  host: string,
  port: number,
  options: number,
): Promise<ListenSocket | undefined> {
  return new Promise((resolve) => {
    app.listen(host, port, options, (socket) => resolve(socket === false ? undefined : socket));
  });
}

/** Listens for a moment the way Node does, which tells why it failed and is not held up by old connections. */
async function findObstacle(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  const probe = createServer();
  try {
    await once(probe.listen(port, host), "listening");
    probe.close();
    await once(probe, "close");
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

function advice(obstacle: NodeJS.ErrnoException | undefined): string {
  switch (obstacle?.code) {
    case "EACCES":
      return "this user may not listen there. Set PORT to a port above 1023.";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "this machine has no such address. Set HOST to one of its own.";
    default:
      return "another process has that port. Stop it, or set PORT to a free one.";
  }
}
