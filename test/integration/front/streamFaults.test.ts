import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StreamSocket } from "../../../src/calls/live/stream.ts";
import {
  bystander,
  bytes,
  clientFrame,
  eventually,
  frontWith,
  handshake,
  RecordingStream,
  rawStream,
} from "./rig.ts";

const TEXT = 1;
const PONG = 10;

describe("a fault in a stream's handler", () => {
  class Faulty extends RecordingStream {
    readonly #at: string;
    readonly #late: boolean;
    constructor(at: string, late: boolean) {
      super();
      this.#at = at;
      this.#late = late;
    }
    override opened(socket: StreamSocket): void {
      super.opened(socket);
      return this.#fail("opened");
    }
    override message(message: Uint8Array, isBinary: boolean): void {
      super.message(message, isBinary);
      return this.#fail("message");
    }
    override ponged(): void {
      super.ponged();
      return this.#fail("ponged");
    }
    override closed(code: number): void {
      super.closed(code);
      return this.#fail("closed");
    }
    #fail(where: string): void {
      if (where !== this.#at) return;
      const error = new Error(`inside ${where}`);
      if (!this.#late) throw error;
      return Promise.reject(error) as unknown as undefined;
    }
  }

  for (const at of ["opened", "message", "ponged", "closed"]) {
    for (const late of [false, true]) {
      it(`ends that stream alone: ${at}, ${late ? "by a rejection" : "by a throw"}`, async (t) => {
        const stream = new Faulty(at, late);
        const rig = await frontWith(t, stream);
        const peer = await rawStream(rig);
        const unharmed = await bystander(rig);
        peer.send(clientFrame(at === "ponged" ? PONG : TEXT, bytes("x")));
        if (at === "closed") peer.reset();
        const closed = at === "closed" ? "closed 1006" : "closed 1011";
        await stream.saw(closed);
        await unharmed();
        if (at !== "closed") {
          await peer.ended();
          assert.ok(peer.rest.endsWith("\x88\x10\x03\xf3internal error"), JSON.stringify(peer.rest));
        }
        await eventually(() => rig.faults.length === 1);
        assert.match(String(rig.faults[0]?.error), new RegExp(`inside ${at}`));
        assert.deepEqual(stream.closings, [closed]);
        assert.equal(rig.front.sockets(), 1);
      });
    }
  }

  for (const end of ["close", "drop"] as const) {
    it(`is not what ending a stream while it opens is: ${end}`, async (t) => {
      const stream = new (class extends RecordingStream {
        override opened(socket: StreamSocket): void {
          super.opened(socket);
          if (end === "close") socket.close(1008, "no");
          else socket.drop();
        }
      })();
      const rig = await frontWith(t, stream);
      const peer = await rig.dial();
      peer.send(handshake("/media/x"));
      await peer.ended();
      const unharmed = await bystander(rig);
      await unharmed();
      assert.deepEqual(stream.events, ["opened", end === "close" ? "closed 1008" : "closed 1006"]);
      assert.deepEqual(rig.faults, []);
    });
  }
});
