// Linecard as a user runs it: a process of its own with a database of its own, called by webhooks that are signed with
// its demo account, as Twilio would.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTarget, type Target } from "../../src/cli/gateway.ts";
import { CALLER, VOICE_PATH } from "../../src/twin/call.ts";
import { inboundParams } from "../../src/twin/params.ts";
import { sign } from "../../src/twin/signature.ts";
import { parseTwiml } from "../../src/twin/twiml.ts";
import { sendWebhook } from "../../src/twin/webhook.ts";
import { Server } from "./processes.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** The same with the busy agent. */
const BUSY_MAIN = fileURLToPath(new URL("../agents/gateway.ts", import.meta.url));
/** As `npm start` does. */
const NODE_FLAGS = ["--v8-pool-size=2", "--max-semi-space-size=2", "--no-parallel-scavenge"];
/** Nobody listens there: the demo account's own Twilio would only take memory. */
const NO_TWILIO = "http://127.0.0.1:9";
/** Webhooks on their way at a time. */
const RINGING_MAX = 8;
/** The workflow that the demo number has from the start. */
const WORKFLOW = "/api/v1/workflow/1";

/** A running gateway. */
export class Linecard {
  readonly #server: Server;
  readonly #removeFolder: () => void;
  readonly #target: Target;
  readonly #apiKey: string;

  private constructor(server: Server, removeFolder: () => void, target: Target, apiKey: string) {
    this.#server = server;
    this.#removeFolder = removeFolder;
    this.#target = target;
    this.#apiKey = apiKey;
  }

  static async start(
    callsMax: number,
    { workers, hasBusyAgent = false }: { workers?: number | undefined; hasBusyAgent?: boolean } = {},
  ): Promise<Linecard> {
    const folder = mkdtempSync(join(tmpdir(), "linecard-bench-"));
    const removeFolder = () => {
      process.off("exit", removeFolder);
      rmSync(folder, { recursive: true, force: true });
    };
    process.on("exit", removeFolder); // also when the bench is interrupted
    const databasePath = join(folder, "linecard.db");
    const apiKey = randomBytes(24).toString("hex");
    try {
      const { server, found } = await Server.start(
        process.execPath,
        [...NODE_FLAGS, hasBusyAgent ? BUSY_MAIN : MAIN],
        /^Linecard listens on [\d.]+:(\d+) .*\n/m,
        {
          PATH: process.env.PATH,
          PORT: "0",
          DATABASE_PATH: databasePath,
          TWILIO_API_BASE_URL: NO_TWILIO,
          CALLS_MAX: String(callsMax),
          LINECARD_API_KEY: apiKey,
          AGENT_PRIVATE_HOSTS: "127.0.0.1",
          ...(workers !== undefined && { MEDIA_WORKERS: String(workers) }),
        },
      );
      const gateway = `http://127.0.0.1:${found[1]}`;
      const target = readTarget({ gateway }, { DATABASE_PATH: databasePath });
      return new Linecard(server, removeFolder, target, apiKey);
    } catch (error) {
      removeFolder();
      throw error;
    }
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** Lets this agent answer from now on, instead of the echo. */
  async answerWith(agent: object): Promise<void> {
    const response = await fetch(this.#target.gatewayBase + WORKFLOW, {
      method: "PUT",
      headers: { "X-API-Key": this.#apiKey, "Content-Type": "application/json" },
      body: JSON.stringify({ workflow_definition: { agent } }),
    });
    if (!response.ok) throw new Error(`the workflow was not taken: ${await response.text()}`);
  }

  /** Rings so many calls; their streams as the generator takes them, to be opened within half a minute. */
  async ring(calls: number): Promise<string[]> {
    const streams: string[] = [];
    let left = calls;
    const ringing = Array.from({ length: Math.min(RINGING_MAX, calls) }, async () => {
      while (left-- > 0) streams.push(await this.#ringOne());
    });
    await Promise.all(ringing);
    return streams;
  }

  async #ringOne(): Promise<string> {
    const { gatewayBase, accountSid, authToken, to } = this.#target;
    const callSid = `CA${randomBytes(16).toString("hex")}`;
    const url = gatewayBase + VOICE_PATH;
    const params = inboundParams({ accountSid, callSid, from: CALLER, to });
    const answer = await sendWebhook({ publicUrl: url, dialUrl: url, method: "POST", params, authToken });
    const verb = answer.status === 200 ? parseTwiml(answer.body)[0] : undefined;
    if (verb?.verb !== "Connect")
      throw new Error(`a call was not taken: ${answer.status} ${verb?.verb ?? answer.body}`);
    return [verb.stream.url, callSid, accountSid, sign(authToken, verb.stream.url)].join(" ");
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    this.#removeFolder();
  }
}
