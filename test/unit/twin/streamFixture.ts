// What every test of a stream begins with: a stand-in gateway, a twin that calls it, and a stream between them.
import { afterEach, beforeEach } from "node:test";
import type { StreamOptions, TwinStream } from "../../../src/twin/stream.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { type FarEnd, StandIn } from "./standIn.ts";

export const PUBLIC_BASE = "https://gw.example.com/line";
export const STREAM_URL = "wss://gw.example.com/line/media/token";
export const account = { accountSid: `AC${"0".repeat(31)}1`, authToken: "secret" };

export interface Fixture {
  gateway: StandIn;
  twin: TwilioTwin;
  /** A stream that was accepted, and the gateway's end of it. */
  open(options?: StreamOptions): Promise<{ stream: TwinStream; far: FarEnd }>;
}

/** New for each test of the file, and gone after it. */
export function fixture(): Fixture {
  const made = {} as Fixture;
  beforeEach(async () => {
    made.gateway = await StandIn.start();
    made.twin = new TwilioTwin({ ...account, publicBase: PUBLIC_BASE, gatewayBase: made.gateway.base });
  });
  afterEach(async () => {
    await made.twin.close();
    await made.gateway.close();
  });
  made.open = async (options = {}) => {
    const stream = made.twin.openStream({ url: STREAM_URL, parameters: { from: "+1" } }, options);
    await stream.opened;
    return { stream, far: await made.gateway.firstStream() };
  };
  return made;
}

export function codes({ complaints }: TwinStream): number[] {
  return complaints.map(({ code }) => code);
}
