// The agent that gives the caller their own voice back, through decode, resample to its rate, and back: for
// tests, for load, and for the first call anyone makes.
import type { Agent, AgentMaker, AudioFormat, Line } from "../port.ts";
import type { EchoSettings } from "./settings.ts";

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

export const echoMaker: AgentMaker<EchoSettings> = {
  type: "echo",
  create: (settings, line) => new Echo(settings, line),
};
