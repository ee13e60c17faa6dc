// Mu-law (G.711) to 16-bit samples and back, one for one, by tables.
import assert from "node:assert/strict";
import alawmulaw from "alawmulaw";

const { mulaw } = alawmulaw;

/** The mu-law code of silence. */
export const MULAW_SILENCE = 0xff;

export const MULAW_TO_PCM = Int16Array.from({ length: 0x1_00 }, (_, code) => mulaw.decodeSample(code));
/** By a sample's low 16 bits. The library returns some codes negative. */
export const PCM_TO_MULAW = Uint8Array.from(
  { length: 0x1_00_00 },
  (_, bits) => mulaw.encodeSample((bits << 16) >> 16) & 0xff,
);
assert(MULAW_TO_PCM[MULAW_SILENCE] === 0 && PCM_TO_MULAW[0] === MULAW_SILENCE);

/** Decodes `source` into `target`, which is the caller's and as long. */
export function decodeMulaw(source: Uint8Array, target: Int16Array): void {
  if (source.length !== target.length) assert.fail("a mu-law byte is one sample");
  const toPcm = MULAW_TO_PCM;
  const { length } = source;
  for (let i = 0; i < length; i++) target[i] = toPcm[source[i]!]!;
}

/** Encodes `source` into `target`, which is the caller's and as long. */
export function encodeMulaw(source: Int16Array, target: Uint8Array): void {
  if (source.length !== target.length) assert.fail("a sample is one mu-law byte");
  const toMulaw = PCM_TO_MULAW;
  const { length } = source;
  for (let i = 0; i < length; i++) target[i] = toMulaw[source[i]! & 0xffff]!;
}
