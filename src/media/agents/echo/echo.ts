// The agent that gives the caller their own voice back, through decode, resample to its rate, and back: for
// tests, for load, and for the first call anyone makes.
import type { Agent, AgentMaker, Audio, AudioFormat, Line } from "../port.ts";
import type { EchoSettings } from "./settings.ts";

class Echo implements Agent {
  readonly #line: Line;
  readonly #format: AudioFormat;

  constructor(settings: EchoSettings, line: Line) {
    this.#line = line;
    this.#format = { encoding: "pcm16", rateHz: settings.rate_hz };
  }

  started(): void {
    this.#line.ready(this.#format, this.#format);
  }

  hear(frame: Audio): void {
    this.#line.say(frame);
  }

  dtmf(): void {}
  marked(): void {}
  interrupted(): void {}
  ended(): void {}
}

export const echoMaker: AgentMaker<EchoSettings> = {
  type: "echo",
  create: (settings, line) => new Echo(settings, line),
};
