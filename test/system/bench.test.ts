// The bench's own instruments: what the load generator says of a server is true, whether the server is good or bad.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type WebSocket, WebSocketServer } from "ws";
import { compile } from "../../native-bench/run/build.ts";
import { CONTENDERS, type Contestant } from "../../native-bench/run/contenders.ts";
import { generate, type Report } from "../../native-bench/run/generator.ts";

const BENCH = fileURLToPath(new URL("../../native-bench/bench.ts", import.meta.url));

let programs: { readonly generator: string; readonly limit: string };
before(async () => {
  programs = { generator: await compile("generator"), limit: await compile("limit") };
});

async function start(t: TestContext, name: string, limit: string): Promise<Contestant> {
  const contender = CONTENDERS.find((known) => known.name === name)!;
  const contestant = await contender.start({
    programs: { limit },
    agent: "echo",
    workers: undefined,
    calls: 20,
  });
  t.after(() => contestant.stop());
  return contestant;
}

/** What must be 0 of a server without fault. */
const faults = ({ lost, wrong, foreign, repeated, overtaken, blocked, closed, broken }: Report) => ({
  ...{ lost, wrong, foreign, repeated, overtaken, blocked, closed, broken },
});
const NONE = {
  ...{ lost: 0, wrong: 0, foreign: 0, repeated: 0, overtaken: 0, blocked: 0, closed: 0, broken: 0 },
};

describe("the load generator", () => {
  it("keeps what its headers promise", async () => {
    await promisify(execFile)(await compile("checks"));
  });

  it("gets every frame of 20 streams back from the limit, each recognised", async (t) => {
    const limit = await start(t, "limit", programs.limit);
    const streams = await limit.streams(20);
    const report = await generate(programs.generator, { streams, seconds: 2, warmUpSeconds: 0.2 });
    assert.deepEqual(faults(report), NONE);
    assert.equal(report.returned, report.sent);
    // 50 a second of each; a generator that stood still at an end may have moved some out of the measured time.
    assert.ok(Math.abs(report.sent - 20 * 50 * 2) < 500, `${report.sent} frames in 2 s`);
    t.diagnostic(`round trip p99 ${report.roundTripMs.p99} ms, own lateness p99 ${report.latenessMs.p99} ms`);
  });

  it("recognises them through Linecard's resampling too, in bursts and while streams are cut", async (t) => {
    const inline = await start(t, "inline", programs.limit);
    const streams = await inline.streams(10);
    const args = ["--burst", "5/20", "--resets", "4"];
    const report = await generate(programs.generator, { streams, seconds: 1, warmUpSeconds: 0.2, args });
    assert.deepEqual(faults(report), NONE);
    assert.ok(report.reset >= 2, `${report.reset} streams were cut`);
    assert.ok(report.sent > 200 && report.returned <= report.sent);
  });

  it("sees what a bad server does to frames: each kind of fault, and no other", async () => {
    // One stream for each; what it is sent back instead of its next frame, now and then.
    const kinds: Readonly<Record<string, (frame: string, echo: Echo) => void>> = {
      lost: (_frame, _echo) => {},
      repeated: (frame, echo) => [frame, frame].forEach(echo),
      wrong: (_frame, echo) => echo(SILENCE),
      // Chords of stream 0 walk in steps of 1, and this stream's don't.
      foreign: (_frame, echo) => echo(firstOfStream0),
    };
    for (const [kind, spoil] of Object.entries(kinds)) {
      const report = await withServer(spoil, (streams) =>
        generate(programs.generator, { streams, seconds: 1, warmUpSeconds: 0.1 }),
      );
      const found = faults(report);
      assert.ok(found[kind as keyof typeof found] >= 3, `${kind}: ${JSON.stringify(report)}`);
      // A frame that something else came back for is lost as well.
      const others = { ...found, [kind]: 0, lost: 0 };
      assert.deepEqual(others, NONE, kind);
      if (kind === "repeated") assert.equal(found.lost, 0);
    }
  });

  it("puts no load on other machines", async () => {
    const streams = ["ws://192.0.2.1:8080/media"];
    await assert.rejects(
      generate(programs.generator, { streams, seconds: 1, warmUpSeconds: 0 }),
      /this machine only/,
    );
  });

  it("takes no answer for an upgrade whose key it was not made for", async (t) => {
    const answer =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    const server = createServer((socket) =>
      socket.on("error", () => {}).once("data", () => socket.write(answer)),
    );
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const streams = [`ws://127.0.0.1:${port}/media`];
    const load = { streams, seconds: 1, warmUpSeconds: 0 };
    await assert.rejects(generate(programs.generator, load), /Sec-WebSocket-Accept is wrong/);
  });

  it("gives way when it is told to", async () => {
    const load = { streams: ["ws://127.0.0.1:9/media"], seconds: 1, warmUpSeconds: 0 };
    await assert.rejects(generate(programs.generator, { ...load, niceness: 19 }), /stream 1: nobody listens/);
    await assert.rejects(
      generate(programs.generator, { ...load, niceness: 20 }),
      /--niceness must be a number from -20 to 19, not 20/,
    );
  });

  it("says which stream a server refused", async () => {
    const streams = ["ws://127.0.0.1:9/media"];
    await assert.rejects(
      generate(programs.generator, { streams, seconds: 1, warmUpSeconds: 0 }),
      /stream 1: nobody listens/,
    );
  });
});

describe("npm run bench", () => {
  it("calls Linecard as Twilio would, and ends with what that costs in the limit's terms", () => {
    const args = [BENCH, "--quick", "--only", "linecard,limit", "--calls", "5", "--seconds", "1"];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.match(
      stdout,
      /\n5 calls(?:, in spoiled runs)?: Linecard's CPU is [\d.]+ × limit; p99 in ms: linecard [\d.]+, limit [\d.]+\n$/,
      stderr,
    );
    assert.doesNotMatch(stdout, /frames|streams/, "a cell with a fault says so");
  });
});

type Echo = (payload: string) => void;

const SILENCE = Buffer.alloc(160, 0xff).toString("base64");
let firstOfStream0 = "";

/** A server of three streams whose middle one is spoiled at every tenth frame. */
async function withServer<Result>(
  spoil: (frame: string, echo: Echo) => void,
  use: (streams: string[]) => Promise<Result>,
): Promise<Result> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  let opened = 0;
  server.on("connection", (socket: WebSocket) => {
    const number = opened++;
    let frames = 0;
    socket.on("message", (text: Buffer) => {
      const { event, streamSid, media } = JSON.parse(text.toString());
      if (event !== "media") return;
      const echo: Echo = (payload) =>
        socket.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
      if (number === 0 && frames === 0) firstOfStream0 = media.payload;
      if (number === 1 && ++frames % 10 === 0) spoil(media.payload, echo);
      else echo(media.payload);
    });
  });
  const { port } = server.address() as AddressInfo;
  try {
    return await use(Array.from({ length: 3 }, () => `ws://127.0.0.1:${port}/media`));
  } finally {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
}
