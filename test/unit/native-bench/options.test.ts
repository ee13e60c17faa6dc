import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBenchOptions, type SweepOptions } from "../../../native-bench/run/options.ts";
import { UsageError } from "../../../src/cli/arguments.ts";

const HOME = "native-bench";
const read = (...args: string[]) => readBenchOptions(args, HOME) as SweepOptions;
const names = ({ contenders }: SweepOptions) => contenders.map(({ name }) => name);

describe("the bench's options", () => {
  it("are a whole sweep, whose results are kept, when there are none", () => {
    const options = read();
    assert.deepEqual(names(options), [
      ...["linecard", "limit", "inline", "tutorial", "perFrame", "aiohttp", "websockets"],
    ]);
    assert.deepEqual([options.repetitions, options.seconds, options.out], [3, 5, HOME]);
    assert.ok(options.ladder.length > 10 && options.ladder.at(-1)! >= 3_000);
  });

  it("keep only what is comparable with the last whole sweep, unless they say where", () => {
    for (const part of ["--quick", "--only=limit", "--calls=100", "--agent=websocket-mulaw", "--workers=1"])
      assert.equal(read(part).out, undefined, part);
    assert.equal(read("--quick", "--out", "elsewhere").out, "elsewhere");
  });

  it("fit a minute when it must be quick", () => {
    const { ladder, repetitions, retries, seconds, warmUpSeconds, contenders } = read("--quick");
    const talking =
      ladder.length * contenders.length * repetitions * (1 + retries) * (seconds + warmUpSeconds);
    assert.ok(talking <= 25, `${talking} s of calls`);
  });

  it("climb upwards, each step once", () =>
    assert.deepEqual(read("--calls", "500,100,500").ladder, [100, 500]));

  it("take contenders in the bench's order", () => {
    assert.deepEqual(names(read("--only", "tutorial, linecard")), ["linecard", "tutorial"]);
  });

  it("let the generator go before all else, or behind it", () =>
    assert.deepEqual(
      [[], ["--niceness=-15"], ["--niceness", "5"]].map((args) => read(...args).niceness),
      [0, -15, 5],
    ));

  for (const [args, complaint] of [
    ["--niceness=-21", /--niceness must be a whole number from -20 to 19, not -21/],
    ["--only twilio", /--only knows no twilio; there are linecard, limit/],
    ["--calls 100,lots", /--calls must be a whole number from 1 to 10000, not lots/],
    ["--calls 0", /--calls must be a whole number/],
    ["--reps 0", /--reps must be a whole number from 1 to 100/],
    ["--seconds never", /--seconds must be a number/],
    [
      "--agent deaf",
      /--agent must be one of echo, busy, websocket-mulaw, websocket-pcm16, websocket-bursts, not deaf/,
    ],
    ["--agent websocket-mulaw --only limit", /--agent and --workers are Linecard's, which --only leaves out/],
    ["--workers 2 --only limit", /--agent and --workers are Linecard's, which --only leaves out/],
    ["--workers 0", /--workers must be a whole number from 1 to 64/],
    ["--kernels --quick", /--kernels goes with no other option/],
    ["--fast", /--fast/],
  ] as const) {
    it(`are refused in a sentence: ${args}`, () => {
      assert.throws(
        () => read(...args.split(" ")),
        (error) => error instanceof UsageError && complaint.test(error.message),
      );
    });
  }
});
