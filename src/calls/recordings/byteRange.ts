// `Range: bytes=…` (RFC 9110, 14): one range, or none. What can't be understood is as if it had not been asked for.

export type ByteRange = { readonly start: number; readonly end: number } | "none" | "unsatisfiable";

/** Of something with so many bytes; `end` is exclusive. */
export function readByteRange(header: string | undefined, bytes: number): ByteRange {
  const [, first = "", last = ""] =
    /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.replaceAll(" ", "") ?? "") ?? [];
  if (first === "" && last === "") return "none";
  if (first === "") {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? "unsatisfiable" : { start: bytes - length, end: bytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "none";
  if (start >= bytes) return "unsatisfiable";
  return { start, end: last === "" ? bytes : Math.min(bytes, Number(last) + 1) };
}
