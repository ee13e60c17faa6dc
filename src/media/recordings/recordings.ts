// What the gateway itself says to a caller, read once at start into memory that the workers share: the operator's
// files, or else the recordings beside this file. When something is said is not known here.
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { CARRIER_FRAME_SAMPLES, CARRIER_RATE_HZ } from "../../domain/audio.ts";
import { PROMPTS, type Prompt, type Prompts } from "../../lane/news.ts";
import { MULAW_SILENCE } from "../kernels/g711.ts";
import { mulawOf, WavFault } from "./wav.ts";

/** Longer than anyone listens to. */
const PROMPT_S_MAX = 30;

/** The operator's files, by path; where there is none, it is our own recording. */
export type PromptFiles = Readonly<Partial<Record<Prompt, string | undefined>>>;

/** Files that can't be said to a caller; each message says which file, what is wrong, and what mends it. */
export class PromptFilesError extends Error {
  readonly faults: readonly { readonly prompt: Prompt; readonly message: string }[];

  constructor(faults: PromptFilesError["faults"]) {
    super(faults.map(({ message }) => message).join("\n"));
    this.name = "PromptFilesError";
    this.faults = faults;
  }
}

/** Mu-law in whole frames. Throws one PromptFilesError that names every unfit file. */
export function readPrompts(files: PromptFiles = {}): Prompts {
  const faults: { prompt: Prompt; message: string }[] = [];
  const read = PROMPTS.map((prompt) => {
    const path = files[prompt] ?? fileURLToPath(new URL(`${prompt}.wav`, import.meta.url));
    try {
      return [prompt, readPrompt(path)];
    } catch (error) {
      if (!(error instanceof WavFault)) throw error;
      faults.push({ prompt, message: `the file ${path} ${error.message}` });
      return [prompt, undefined];
    }
  });
  if (faults.length > 0) throw new PromptFilesError(faults);
  return Object.freeze(Object.fromEntries(read));
}

function readPrompt(path: string): Uint8Array {
  const file = contents(path);
  try {
    const mulaw = mulawOf(file);
    if (mulaw.length > PROMPT_S_MAX * CARRIER_RATE_HZ) throw new WavFault(`is longer than ${PROMPT_S_MAX} s`);
    return inWholeFrames(mulaw);
  } catch (error) {
    if (!(error instanceof WavFault)) throw error;
    throw new WavFault(`${error.message}; make one that fits: ${mending(path)}`);
  }
}

function contents(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new WavFault(`can't be read (${code})`);
  }
}

function inWholeFrames(mulaw: Uint8Array): Uint8Array {
  const frames = Math.ceil(mulaw.length / CARRIER_FRAME_SAMPLES);
  const shared = new Uint8Array(new SharedArrayBuffer(frames * CARRIER_FRAME_SAMPLES));
  shared.fill(MULAW_SILENCE, mulaw.length);
  shared.set(mulaw);
  return shared;
}

/** For a shell, whatever the path. */
function mending(path: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const mended = `${path.slice(0, path.length - extname(path).length)}.8k.wav`;
  return `sox ${quoted(path)} -r ${CARRIER_RATE_HZ} -c 1 -b 16 -e signed-integer ${quoted(mended)} trim 0 ${PROMPT_S_MAX}`;
}
