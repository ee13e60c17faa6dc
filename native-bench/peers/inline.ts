// Linecard's own protocol and audio on the thread that has the sockets, with nothing between: no workers, no lane, no
// pacing, no marks, no admission. What Linecard costs beyond this is the price of agents that can't hurt each other.
import { App, type WebSocket } from "uWebSockets.js";
import { CARRIER_FRAME_SAMPLES } from "../../src/domain/audio.ts";
import type { StreamSid } from "../../src/domain/ids.ts";
import { loadCodec } from "../../src/media/audio/codec.ts";
import { InboundTrack } from "../../src/media/audio/inboundTrack.ts";
import {
  createMediaFrame,
  decodeBase64,
  decodeMessage,
  scanMedia,
} from "../../src/media/protocol/messages.ts";
import { OutboundEncoder } from "../../src/media/protocol/outbound.ts";

const AGENT_RATE_HZ = 16_000;
const PAYLOAD_MAX = 16 * 1_024;

const port = Number(process.argv[2]);
const codec = await loadCodec();
const frame = createMediaFrame();
const payload = new Uint8Array(PAYLOAD_MAX);

class Stream {
  readonly #in = codec.createDecoder(AGENT_RATE_HZ);
  readonly #out = codec.createEncoder(AGENT_RATE_HZ);
  readonly #encoder: OutboundEncoder;
  readonly #answer: Uint8Array;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #track = new InboundTrack((mulaw) => this.#echo(mulaw), {
    frames: 0,
    concealed: 0,
    late: 0,
    resyncs: 0,
  });

  constructor(streamSid: StreamSid, send: (bytes: Uint8Array) => void) {
    this.#send = send;
    this.#encoder = new OutboundEncoder(streamSid);
    this.#answer = new Uint8Array(this.#encoder.mediaLength(CARRIER_FRAME_SAMPLES));
  }

  hear(timestampMs: number, length: number): void {
    this.#track.accept(timestampMs, payload, length);
  }

  free(): void {
    this.#in.free();
    this.#out.free();
  }

  #echo(mulaw: Uint8Array): void {
    const codes = this.#out.encode(this.#in.decode(mulaw)); // the agent says what it hears
    this.#encoder.writeMedia(codes, 0, codes.length, this.#answer, 0);
    this.#send(this.#answer);
  }
}

interface Carried {
  stream?: Stream;
}

function receive(socket: WebSocket<Carried>, bytes: Uint8Array): void {
  const carried = socket.getUserData();
  if (carried.stream !== undefined && scanMedia(bytes, frame)) {
    const length = decodeBase64(bytes, frame.payloadStart, frame.payloadEnd, payload);
    carried.stream.hear(frame.timestampMs, length);
    return;
  }
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
