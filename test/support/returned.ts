// What a gateway sent on a stream, apart from when it was played.
import { decode } from "../../src/twin/mulaw.ts";
import type { TwinStream } from "../../src/twin/stream.ts";

/** All audio the gateway has sent so far, as the mu-law bytes it was. */
export function returnedCodes(stream: TwinStream): Buffer {
  const payloads = stream.received.map(({ message }) =>
    message?.event === "media" ? Buffer.from(message.media.payload, "base64") : Buffer.alloc(0),
  );
  return Buffer.concat(payloads);
}

/** The same as 16-bit samples. */
export function returned(stream: TwinStream): Int16Array {
  return decode(returnedCodes(stream));
}

/** Resolves once the gateway has sent this much audio. */
export async function hasReturned(stream: TwinStream, ms: number): Promise<void> {
  const samples = 8 * ms;
  const isThere = () => returnedCodes(stream).length >= samples || undefined;
  await stream.until(`${ms} ms of audio from the gateway`, isThere, ms + 10_000);
}
