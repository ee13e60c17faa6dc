// npm run kernels: designs the audio kernels' filters and compiles their inner loops.
import { writeFileSync } from "node:fs";
import { compiledKernels, filters } from "./compiledKernels.ts";

for (const { url, bytes } of [filters(), await compiledKernels()]) {
  writeFileSync(url, bytes);
  process.stdout.write(`${url.pathname}: ${bytes.length} bytes\n`);
}
