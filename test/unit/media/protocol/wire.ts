// Messages as Twilio puts them on the wire: one recorded second, and media messages written in every other way
// that means the same.
import { readFileSync } from "node:fs";
import fc from "fast-check";

export const STREAM_SID = `MZ${"0".repeat(31)}1`;

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One second of a stream, message by message. */
export const RECORDED: readonly string[] = readFileSync(
  new URL("../../../vectors/media-stream-inbound.jsonl", import.meta.url),
  "utf8",
)
  .trimEnd()
  .split("\n");

export const RECORDED_MEDIA = RECORDED.filter((line) => JSON.parse(line).event === "media");

export interface MediaFacts {
  readonly streamSid: string;
  readonly chunk: number;
  readonly timestampMs: number;
  readonly payload: Uint8Array;
}

/** What a media message says. */
export const mediaFacts: fc.Arbitrary<MediaFacts> = fc.record({
  streamSid: fc.stringMatching(/^MZ[0-9a-f]{32}$/),
  chunk: fc.nat(),
  timestampMs: fc.nat(),
  payload: fc.uint8Array({ maxLength: 400 }),
});

/** White space between two tokens: mostly none. */
const space = fc.oneof({ weight: 5, arbitrary: fc.constant("") }, fc.stringMatching(/^[ \t\r\n]{1,3}$/));

/** A key with a value as JSON. */
type Member = readonly [key: string, json: string];

const known = new Set(["event", "streamSid", "media", "track", "chunk", "timestamp", "payload"]);
const plainText = fc.stringMatching(/^[ !#-[\]-~]{0,12}$/);
const plainJson = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    plainText,
    fc.integer(),
    fc.constantFrom(true, false, null, 0.5, -12.25),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(plainText, tie("value"), { maxKeys: 3 }),
  ),
})).value;
const unknownMembers: fc.Arbitrary<Member[]> = fc.array(
  fc.tuple(
    plainText.filter((key) => !known.has(key)),
    plainJson.map((value) => JSON.stringify(value)),
  ),
  { maxLength: 4 },
);

function object(members: readonly Member[], gap: string): string {
  const written = members.map(([key, json]) => `${gap}${JSON.stringify(key)}${gap}:${gap}${json}${gap}`);
  return `{${gap}${written.join(",")}}`;
}

/** A count as Twilio writes it or as a number. */
const written = (count: number, quoted: boolean): string => (quoted ? `"${count}"` : `${count}`);

/** The same message with its fields in any order, among others, with or without quotes and white space. */
export function mediaMessage(facts: MediaFacts): fc.Arbitrary<string> {
  const { streamSid, chunk, timestampMs, payload } = facts;
  return fc
    .tuple(space, space, fc.boolean(), unknownMembers, unknownMembers, fc.infiniteStream(fc.nat()))
    .map(([gap, edge, quoted, outer, inner, order]) => {
      const shuffled = (members: Member[]): Member[] =>
        members
          .map((member) => ({ member, rank: order.next().value as number }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ member }) => member);
      const media = shuffled([
        ["track", '"inbound"'],
        ["chunk", written(chunk, quoted)],
        ["timestamp", written(timestampMs, !quoted)],
        ["payload", JSON.stringify(Buffer.from(payload).toString("base64"))],
        ...inner,
      ]);
      const message = shuffled([
        ["event", '"media"'],
        ["sequenceNumber", written(chunk + 1, quoted)],
        ["streamSid", JSON.stringify(streamSid)],
        ["media", object(media, gap)],
        ...outer,
      ]);
      return `${edge}${object(message, gap)}${edge}`;
    });
}
