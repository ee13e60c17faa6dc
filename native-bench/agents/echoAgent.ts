// An agent's server that says back what it hears, as cheaply as Node can: uWebSockets.js, and no copy of the audio. It
// speaks the websocket agent's protocol, so that calls with a server of their own are measured by the same frames.
//   node echoAgent.ts mulaw|pcm16 <port>
import { App } from "uWebSockets.js";

const [, , encoding, port] = process.argv;
const format = encoding === "mulaw" ? { encoding } : { encoding, rate_hz: 16_000 };
const READY = JSON.stringify({ type: "ready", hears: format, speaks: format });
const UTTERANCE = JSON.stringify({ type: "utterance_start" });

App()
  .ws("/*", {
    idleTimeout: 0,
    message(socket, message, isBinary) {
      if (isBinary) {
        socket.send(message, true);
        return;
      }
      if (JSON.parse(Buffer.from(message).toString()).type !== "hello") return;
      socket.send(READY);
      socket.send(UTTERANCE);
    },
  })
  .listen("127.0.0.1", Number(port), () => {
    process.stdout.write(`listening ${port}\n`);
  });
