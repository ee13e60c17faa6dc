// The agent that gives the caller their own voice back, through decode, resample to its rate, and back: for
// tests, for load, and for the first call anyone makes.
import { z } from "zod";
import { AGENT_RATES_HZ } from "../../../domain/audio.ts";
import type { Agent, AgentType, AudioFormat, Line } from "../port.ts";
import { agentSettings } from "../settings.ts";

const { schema, parse } = agentSettings("echo", {
  rate_hz: z.literal(AGENT_RATES_HZ).default(16_000),
});
type EchoSettings = z.output<typeof schema>;

class Echo implements Agent {
  readonly hears: AudioFormat;
  readonly speaks: AudioFormat;
  readonly #line: Line;

  constructor(settings: EchoSettings, line: Line) {
    this.hears = { encoding: "pcm16", rateHz: settings.rate_hz };
    this.speaks = this.hears;
    this.#line = line;
  }

  hear(frame: Int16Array): void {
    this.#line.say(frame);
  }

  started(): void {}
  dtmf(): void {}
  marked(): void {}
  ended(): void {}
}

export const echo: AgentType<EchoSettings> = {
  type: "echo",
  parse,
  create: (settings, line) => new Echo(settings, line),
};
