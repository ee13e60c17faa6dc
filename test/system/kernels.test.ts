import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { compiledKernels } from "../support/compiledKernels.ts";

it("the audio kernels' WASM is what their source compiles to, byte for byte (npm run kernels writes it)", async () => {
  const { url, bytes } = await compiledKernels();
  assert.ok(Buffer.from(bytes).equals(readFileSync(url)), "run npm run kernels");
});
