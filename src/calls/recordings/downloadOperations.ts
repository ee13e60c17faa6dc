// What is kept of a call, for whoever has a link to it.
import { z } from "zod";
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { HttpRequest } from "../../http/http.ts";
import { Encoded, type Operation, operation } from "../../http/operation.ts";
import type { Store } from "../../store/store.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";
import { AudioBody, audioBytes, type Side } from "./audioBody.ts";
import { readByteRange } from "./byteRange.ts";
import type { OpenRecording, RecordingsFolder } from "./folder.ts";
import { ARTIFACTS, type Artifact, DOWNLOAD_PATH, type RunLinks } from "./links.ts";
import { transcriptOf } from "./transcript.ts";

export interface DownloadParts {
  readonly store: Pick<Store, "records">;
  readonly records: Pick<CallRecords, "get">;
  readonly folder: Pick<RecordingsFolder, "open">;
  readonly links: RunLinks;
  readonly clock: Clock;
}

const AUDIO_TYPE = "audio/wav";
const TEXT_TYPE = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";
/** Recordings that may be read at a time, each with a file open and a piece of it in memory. */
const DOWNLOADS_MAX = 32;
const RETRY_S = 5;

const SIDE_OF: Readonly<Record<Exclude<Artifact, "transcript">, Side>> = {
  recording: "both",
  user_recording: "caller",
  bot_recording: "agent",
};

export function downloadOperations(parts: DownloadParts): readonly Operation[] {
  const { store, records, folder, links, clock } = parts;
  let downloads = 0;
  const over = () => {
    downloads--;
  };

  async function recordOf(token: string): Promise<CallRecord> {
    const run = links.runOf(token, clock.wallMs());
    const record = run && (records.get(run) ?? (await store.records.get(run)));
    if (record === undefined) throw new GatewayError("NOT_FOUND", "Invalid or expired access token");
    return record;
  }

  /** `over` is owed once the file is closed. */
  async function opened({ recordingFile }: CallRecord): Promise<OpenRecording> {
    if (downloads >= DOWNLOADS_MAX) {
      const message = `${DOWNLOADS_MAX} recordings are being downloaded already; try again in a few seconds`;
      throw new GatewayError("TOO_MANY", message, { retryAfterS: RETRY_S });
    }
    downloads++;
    try {
      const file = recordingFile === undefined ? undefined : await folder.open(recordingFile);
      if (file === undefined) throw notKept();
      return file;
    } catch (error) {
      over();
      throw error;
    }
  }

  async function audio(record: CallRecord, side: Side, name: Named, request: HttpRequest): Promise<Encoded> {
    const file = await opened(record);
    const bytes = audioBytes(side, file.moments);
    const range = rangeOf(request, bytes);
    if (range === "unsatisfiable") {
      over();
      await file.handle.close();
      const detail = JSON.stringify({ detail: `The file has ${bytes} bytes.` });
      return new Encoded(JSON_TYPE, detail, { "Content-Range": `bytes */${bytes}` }, 416);
    }
    const headers = { ...name, "Accept-Ranges": "bytes" };
    if (range === "none") {
      const body = new AudioBody(file, side, { start: 0, end: bytes }, over);
      return new Encoded(AUDIO_TYPE, body, headers);
    }
    const part = { ...headers, "Content-Range": `bytes ${range.start}-${range.end - 1}/${bytes}` };
    return new Encoded(AUDIO_TYPE, new AudioBody(file, side, range, over), part, 206);
  }

  return [
    operation({
      method: "GET",
      path: `${DOWNLOAD_PATH}/{token}/{artifact_type}`,
      access: "open",
      tag: "Call log",
      summary:
        "Gives a call's recording, one side of it, or its transcript, to whoever has a link from the log.",
      params: z.object({
        token: z.string().describe("A run's `public_access_token`; it holds good for an hour."),
        artifact_type: z
          .enum(ARTIFACTS)
          .describe("`recording` has the caller left and the agent right; `transcript` is plain text."),
      }),
      query: z.object({
        inline: z.stringbool().default(false).describe("To be shown by a browser rather than saved."),
      }),
      answer: AUDIO_TYPE,
      errors: [404, 416, 429],
      run: async ({ params: { token, artifact_type: artifact }, query: { inline }, request }) => {
        const record = await recordOf(token);
        if (artifact === "transcript") {
          const text = transcriptOf(record.events);
          if (text === "") throw notKept();
          return new Encoded(TEXT_TYPE, text, named(record, artifact, "txt", inline));
        }
        return audio(record, SIDE_OF[artifact], named(record, artifact, "wav", inline), request);
      },
    }),
  ];
}

type Named = Readonly<Record<"Content-Disposition", string>>;

/** `WR-TEL-IN-00000017-recording.wav`; what a run's name has of other letters is left out. */
function named({ name }: CallRecord, artifact: Artifact, ending: string, isInline: boolean): Named {
  const file = `${name.replace(/[^\w.-]/g, "_")}-${artifact}.${ending}`;
  return { "Content-Disposition": `${isInline ? "inline" : "attachment"}; filename="${file}"` };
}

/** Of GET alone; nothing that `If-Range` could name is ever sent, so that it never holds. */
function rangeOf({ method, headers }: HttpRequest, bytes: number) {
  const isAsked = method === "GET" && !headers.has("if-range");
  return readByteRange(isAsked ? headers.get("range") : undefined, bytes);
}

function notKept(): GatewayError {
  return new GatewayError("NOT_FOUND", "Artifact not found: it was not kept, or not for so long");
}
