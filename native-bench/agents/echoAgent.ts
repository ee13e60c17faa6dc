// An agent's server that says back what it hears, as cheaply as Node can: uWebSockets.js, and no copy of the audio. It
// speaks the websocket agent's protocol, so that calls with a server of their own are measured by the same frames.
// `bursts` says a second at a time, in mu-law, as speech that is synthesized faster than it is spoken comes.
//   node echoAgent.ts mulaw|pcm16|bursts <port>
import { App } from "uWebSockets.js";

const [, , encoding, port] = process.argv;
const format = encoding === "pcm16" ? { encoding, rate_hz: 16_000 } : { encoding: "mulaw" };
const BURST_BYTES = encoding === "bursts" ? 8_000 : 0;
const READY = JSON.stringify({ type: "ready", hears: format, speaks: format });
const UTTERANCE = JSON.stringify({ type: "utterance_start" });

interface Heard {
  bytes: Uint8Array;
  length: number;
}

App()
  .ws<Heard>("/*", {
    idleTimeout: 0,
    open(socket) {
      Object.assign(socket.getUserData(), { bytes: new Uint8Array(BURST_BYTES), length: 0 });
    },
    message(socket, message, isBinary) {
      if (isBinary) {
        if (BURST_BYTES === 0) return void socket.send(message, true);
        const heard = socket.getUserData();
        heard.bytes.set(new Uint8Array(message), heard.length);
        heard.length += message.byteLength;
        if (heard.length < BURST_BYTES) return;
        heard.length = 0;
        socket.send(heard.bytes, true);
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
