// What the usual Node tutorial on Media Streams does, with the agent left out: `ws`, JSON.parse of every message,
// alawmulaw, samples doubled and halved in a loop, JSON.stringify. Modelled on Twilio's own `media-streams` samples and
// on the many that convert to 16 kHz by interpolating. Its resampling has no filter: it does less than the others.
import alawmulaw from "alawmulaw";
import { type WebSocket, WebSocketServer } from "ws";
import { doubled, halved } from "./linear.ts";

const { mulaw } = alawmulaw;
const port = Number(process.argv[2]);
const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });

server.on("connection", (socket: WebSocket) => {
  let streamSid = "";
  socket.on("message", (text: Buffer) => {
    const message = JSON.parse(text.toString());
    switch (message.event) {
      case "start":
        streamSid = message.start.streamSid;
        break;
      case "media": {
        const heard = doubled(mulaw.decode(Buffer.from(message.media.payload, "base64")));
        const said = mulaw.encode(halved(heard)); // the agent says what it hears
        const payload = Buffer.from(said).toString("base64");
        socket.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
        break;
      }
    }
  });
});
server.on("listening", () => process.stdout.write(`listening ${port}\n`));
