// The echo agent with 100 µs of work on every frame, as one has that detects speech or runs a small model itself: what
// it takes a second worker's core to carry. The work is counted, not timed: a frame that waits for a core does no less.
import type { Agent, AgentType, Audio, Line } from "../../src/media/agents/port.ts";
import { bareSettings } from "../../src/media/agents/settings.ts";

const WORK_MS = 0.1;
const FORMAT = { encoding: "pcm16", rateHz: 16_000 } as const;
const { schema, parse } = bareSettings("busy", {});

let state = 1;

function work(steps: number): void {
  for (let step = 0; step < steps; step++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
}

/** The steps that take WORK_MS here: of many tries the fastest, which nothing interrupted. */
function measureSteps(): number {
  const triedSteps = 50_000;
  let fastestMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 200; tries++) {
    const startMs = performance.now();
    work(triedSteps);
    fastestMs = Math.min(fastestMs, performance.now() - startMs);
  }
  return Math.round((triedSteps * WORK_MS) / fastestMs);
}

let steps = 0;

class Busy implements Agent {
  readonly #line: Line;

  constructor(line: Line) {
    this.#line = line;
    steps ||= measureSteps();
  }

  started(): void {
    this.#line.ready(FORMAT, FORMAT);
  }

  hear(frame: Audio): void {
    work(steps);
    this.#line.say(frame);
  }

  dtmf(): void {}
  marked(): void {}
  interrupted(): void {}
  ended(): void {}
}

const type: AgentType<typeof schema._output> = {
  type: "busy",
  parse,
  create: (_settings, line) => new Busy(line),
};

export default type;
