// The audio kernels' committed files as they should be: the filters from their design, the WASM from AssemblyScript.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { filtersSource } from "../../src/media/kernels/design.ts";
import { KERNELS_URL } from "../../src/media/kernels/kernels.ts";
import { PAGES } from "../../src/media/kernels/layout.ts";

const FILTERS_URL = new URL("filters.ts", KERNELS_URL);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCE = "src/media/kernels/assembly/kernels.ts";

export interface Made {
  readonly url: URL;
  readonly bytes: Uint8Array;
}

export function filters(): Made {
  return { url: FILTERS_URL, bytes: Buffer.from(filtersSource()) };
}

export async function compiledKernels(): Promise<Made> {
  let bytes: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      ...[SOURCE, "--outFile", "kernels.wasm", "-O3", "--enable", "simd", "--runtime", "stub"],
      ...["--initialMemory", `${PAGES}`, "--maximumMemory", `${PAGES}`],
    ],
    {
      readFile: (name) => read(name),
      writeFile(_name, contents) {
        bytes = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || bytes === undefined) throw new Error(`AssemblyScript: ${stderr.toString()}`);
  return { url: KERNELS_URL, bytes };
}

/** Null sends the compiler to the next place where a module may be. */
function read(name: string): string | null {
  try {
    return readFileSync(`${ROOT}/${name}`, "utf8");
  } catch {
    return null;
  }
}
