// The smallest agent worth calling: greets with two tones, then says back what it hears, and hangs up on the key #.
//   npx node docs/examples/agentServer.ts [port]
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] ?? 9000) });
server.on("listening", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`An agent listens on ws://127.0.0.1:${port}\n`);
});
server.on("connection", (socket: WebSocket) => {
  const say = (message: object) => socket.send(JSON.stringify(message));
  let isEcho = false;

  socket.on("message", (bytes: Buffer, isBinary: boolean) => {
    if (isBinary) {
      if (isEcho) socket.send(bytes); // the caller's voice, mu-law at 8 kHz, 20 ms
      return;
    }
    const message = JSON.parse(bytes.toString());
    switch (message.type) {
      case "hello":
        say({ type: "ready" }); // both ways in mu-law, as the telephone has it
        say({ type: "utterance_start", id: "greeting", text: "(two tones)" });
        socket.send(tone(660, 300));
        socket.send(tone(880, 300));
        say({ type: "utterance_end" });
        return say({ type: "mark", name: "greeted" });
      case "mark": // the caller has heard the greeting
      case "interrupted": // or would not wait for its end; what comes next is something new
        say({ type: "utterance_start", interruption: message.number });
        isEcho = true;
        return;
      case "dtmf":
        if (message.digit === "#") say({ type: "hang_up" }); // once all that was said is heard
    }
  });
});

/** A tone of a quarter of full scale, in mu-law. */
function tone(hz: number, ms: number): Buffer {
  const samples = Array.from({ length: 8 * ms }, (_, n) => 8_000 * Math.sin((2 * Math.PI * hz * n) / 8_000));
  return Buffer.from(samples.map(mulaw));
}

function mulaw(sample: number): number {
  const biased = Math.min(Math.abs(Math.round(sample)), 32_635) + 132;
  const segment = 24 - Math.clz32(biased);
  return ~((sample < 0 ? 128 : 0) | (segment << 4) | ((biased >> (segment + 3)) & 15)) & 255;
}
