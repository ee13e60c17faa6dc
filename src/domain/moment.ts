// How a moment is written wherever it leaves the process.

/** ISO 8601 with milliseconds and `Z`, of milliseconds since the epoch. */
export function moment(atMs: number): string {
  return new Date(atMs).toISOString();
}
