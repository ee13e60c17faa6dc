// Records that tell when they were torn: every byte follows from the record's number and its place.

/** What the other thread counts, by index. */
export const TORN = 0;
export const DROPPED = 1;

export function payload(size: number, number: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = byteAt(number, at);
  return bytes;
}

export function isWhole(number: number, bytes: Uint8Array): boolean {
  return bytes.every((byte, at) => byte === byteAt(number, at));
}

function byteAt(number: number, at: number): number {
  return (number * 17 + (number >>> 8) + at * 31) & 0xff;
}
