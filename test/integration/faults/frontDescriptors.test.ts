// A process that may open few files: it says so at its start, refuses connections before it runs out, and is idle and
// there for whoever comes when they are gone. Without that, accepting would spin a whole core.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { folder } from "../../support/process.ts";
import { until } from "../../support/until.ts";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));
const DESCRIPTORS = 300;
const STRANGERS = 400;

describe("a process with few descriptors", { skip: !existsSync("/proc/self/limits") }, () => {
  it("keeps enough of them for itself, whoever connects", async (t) => {
    const env = {
      PATH: process.env.PATH ?? "",
      PORT: "0",
      DATABASE_PATH: join(folder(t), "linecard.db"),
      MEDIA_WORKERS: "1",
      // An account of its own: no offline Twilio is started for it.
      TWILIO_ACCOUNT_SID: "AC0123456789abcdef0123456789abcdef",
      TWILIO_AUTH_TOKEN: "0123456789abcdef0123456789abcdef",
      TWILIO_PHONE_NUMBER: "+12025550100",
      TWILIO_API_BASE_URL: "http://127.0.0.1:9",
    };
    const limited = `ulimit -n ${DESCRIPTORS} && exec "$0" "$1"`;
    const child = spawn("sh", ["-c", limited, process.execPath, MAIN], { env });
    const exited = once(child, "exit");
    t.after(() => {
      child.kill("SIGKILL");
      return exited;
    });
    const lines: string[] = [];
    for (const output of [child.stdout, child.stderr])
      createInterface(output).on("line", (line) => lines.push(line));
    const find = (pattern: RegExp) => lines.map((line) => pattern.exec(line)).find((found) => found !== null);
    await until("the gateway to listen", () => find(/http:\/\/127\.0\.0\.1:(\d+)/) !== undefined, 30_000);
    const port = Number(find(/http:\/\/127\.0\.0\.1:(\d+)/)![1]);
    assert.ok(
      find(/may open 300 files and sockets, and 1000 calls may need 3700\. Raise the limit/),
      lines.join("\n"),
    );

    const atRest = readdirSync(`/proc/${child.pid}/fd`).length;
    let refused = 0;
    const strangers = Array.from({ length: STRANGERS }, () => {
      const socket = net.connect({ host: "127.0.0.1", port });
      socket.on("error", () => {});
      socket.on("close", () => refused++);
      socket.resume();
      return socket;
    });
    t.after(() => {
      for (const socket of strangers) socket.destroy();
    });
    await until(
      "all to be taken or refused",
      () => strangers.every(({ connecting }) => !connecting) && refused > 0,
    );
    await until("some of them to be refused", () => refused >= STRANGERS - DESCRIPTORS / 3);
    const held = readdirSync(`/proc/${child.pid}/fd`).length;
    t.diagnostic(
      `${atRest} descriptors at rest, ${held} with ${STRANGERS - refused} strangers, ${refused} refused`,
    );
    assert.ok(held < DESCRIPTORS - 100, "a hundred are left");

    for (const socket of strangers) socket.destroy();
    const isThere = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until("the next one to be answered", isThere);
  });
});
