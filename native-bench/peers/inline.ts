// Linecard's own protocol and audio on the thread that has the sockets, with nothing between: no workers, no lane, no
// pacing, no marks, no admission. What Linecard costs beyond this is the price of agents that can't hurt each other.
import { App, type WebSocket } from "uWebSockets.js";
import type { StreamSid } from "../../src/domain/ids.ts";
import { codecOf } from "../../src/media/audio/codec.ts";
import { type FrameTaker, InboundTrack } from "../../src/media/audio/inboundTrack.ts";
import { loadKernels } from "../../src/media/kernels/kernels.ts";
import { MediaMessages } from "../../src/media/protocol/mediaMessages.ts";
import { decodeMessage } from "../../src/media/protocol/messages.ts";
import { StreamMessages } from "../../src/media/protocol/streamMessages.ts";

const AGENT_RATE_HZ = 16_000;

const port = Number(process.argv[2]);
const kernels = await loadKernels();
const codec = codecOf(kernels);
const messages = new MediaMessages(kernels);

class Stream implements FrameTaker {
  readonly #in = codec.createDecoder(AGENT_RATE_HZ);
  readonly #out = codec.createEncoder(AGENT_RATE_HZ);
  readonly #messages: StreamMessages;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #track = new InboundTrack(this);

  constructor(streamSid: StreamSid, send: (bytes: Uint8Array) => void) {
    this.#send = send;
    this.#messages = new StreamMessages(streamSid, messages);
  }

  hear(timestampMs: number, codes: Uint8Array): void {
    this.#track.accept(timestampMs, codes);
  }

  free(): void {
    this.#in.free();
    this.#out.free();
    this.#messages.close();
  }

  frame(mulaw: Uint8Array): void {
    const codes = this.#out.encode(this.#in.decode(mulaw)); // the agent says what it hears
    this.#send(this.#messages.media(codes, 0, codes.length));
  }

  late(): void {}
  resynced(): void {}
}

interface Carried {
  stream?: Stream;
}

function receive(socket: WebSocket<Carried>, bytes: Uint8Array): void {
  const carried = socket.getUserData();
  if (carried.stream !== undefined && messages.read(bytes))
    return carried.stream.hear(messages.timestampMs, messages.codes);
  const message = decodeMessage(bytes);
  if (message.event === "start")
    carried.stream = new Stream(message.streamSid, (answer) => socket.send(answer, false));
}

App()
  .ws<Carried>("/*", {
    upgrade: (response, request, context) =>
      response.upgrade<Carried>(
        {},
        request.getHeader("sec-websocket-key"),
        request.getHeader("sec-websocket-protocol"),
        request.getHeader("sec-websocket-extensions"),
        context,
      ),
    message: (socket, message) => receive(socket, new Uint8Array(message)),
    close: (socket) => socket.getUserData().stream?.free(),
  })
  .listen("127.0.0.1", port, () => {
    process.stdout.write(`listening ${port}\n`);
  });
