// The echo agent's settings, as a workflow holds them.
import { z } from "zod";
import { AGENT_RATES_HZ } from "../../../domain/audio.ts";
import type { AgentReader } from "../port.ts";
import { bareSettings } from "../settings.ts";

const { schema, parse } = bareSettings("echo", {
  rate_hz: z.literal(AGENT_RATES_HZ).default(16_000),
});
export type EchoSettings = z.output<typeof schema>;

export const echoReader: AgentReader<EchoSettings> = { type: "echo", parse };
