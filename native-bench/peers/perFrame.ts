// Worker threads as one first thinks of them: each frame is a task of a pool, and its result is sent when it comes.
// Modelled on Piscina's own examples, with as many threads as Linecard would have. Frames of one call may overtake one
// another, and a resampler could keep no state from one to the next; as in tutorial.ts there is none.
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { type WebSocket, WebSocketServer } from "ws";

const port = Number(process.argv[2]);
const threads = Math.max(2, availableParallelism() - 1);
const pool = new Piscina<string, string>({
  filename: new URL("./perFrameTask.ts", import.meta.url).href,
  minThreads: threads,
  maxThreads: threads,
});
const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });

server.on("connection", (socket: WebSocket) => {
  let streamSid = "";
  socket.on("message", async (text: Buffer) => {
    const message = JSON.parse(text.toString());
    if (message.event === "start") streamSid = message.start.streamSid;
    if (message.event !== "media") return;
    const payload = await pool.run(message.media.payload);
    socket.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
  });
});
server.on("listening", () => process.stdout.write(`listening ${port}\n`));
