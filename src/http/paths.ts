// How a raw request path is read: with or without the public base's prefix, and segment by segment. Never
// normalises: what is not written the way a route is written is another path.

/**
 * The paths a raw path may stand for, the likelier first. A proxy may strip the prefix or leave it on, and a
 * stripped path can begin with the prefix all the same (prefix `/api`, route `/api/v1`), so both count.
 */
export function readings(path: string, prefix: string): readonly string[] {
  if (prefix === "" || !path.startsWith(prefix)) return [path];
  const rest = path.slice(prefix.length);
  if (rest === "") return ["/", path];
  return rest.startsWith("/") ? [rest, path] : [path];
}

/** What stands round the slashes: `/a/b` is an empty segment, `a` and `b`; `/` is two empty segments. */
export function segmentsOf(path: string): readonly string[] {
  return path.split("/");
}

/** `.` and `..` in any spelling: a proxy may have resolved them differently, so they name nothing here. */
const DOT_SEGMENT = /^(?:\.|%2e){1,2}$/i;

/** Whether a raw segment may be the value of a `{name}`. */
export function isValue(segment: string): boolean {
  return segment !== "" && !DOT_SEGMENT.test(segment);
}
