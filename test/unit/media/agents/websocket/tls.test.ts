// A server that shows a certificate nobody vouches for is not called, whatever the environment says.
import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, it } from "node:test";
import { selfSigned } from "../../../twilio/selfSigned.ts";
import { startAgent } from "./rig.ts";

it("a server with a certificate of its own making is refused, and told nothing", async () => {
  let requests = 0;
  const server = createServer(selfSigned());
  server.on("upgrade", (_request, socket) => {
    requests++;
    socket.destroy();
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  after(() => server.close());
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  after(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);

  const { port } = server.address() as AddressInfo;
  const { line, does } = startAgent(`wss://127.0.0.1:${port}/`, { settings: { agent_secret: "a-secret" } });
  await does("fail: the agent's server could not be reached: no connection to 127.0.0.1");
  assert.deepEqual(
    line.told("agent_connect_failed").map(({ failure }) => failure),
    ["tls"],
  );
  assert.equal(requests, 0);
});
