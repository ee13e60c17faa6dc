// Which servers are not worth trying just now: those that have failed again and again. One of it per worker, so that
// a server that is down costs its callers no wait, and is not hammered by all of them. A server is a whole address:
// what fails at one path of a host is nothing to whoever is called at another.

/** Failures in a row, within this long, that open the breaker. */
const FAILURES = 5;
const WITHIN_MS = 10_000;
/** How long it stays open: for all calls but one, which finds out whether the server is back. */
const OPEN_MS = 2_000;
/** Servers that are kept in mind. */
const SERVERS_MAX = 1_000;

interface Record {
  /** When the latest failures were, the oldest first; `FAILURES` of them at most. */
  readonly failuresMs: number[];
  openUntilMs: number;
  hasProbed: boolean;
}

export class Breaker {
  readonly #servers = new Map<string, Record>();

  /** Whether a call that begins may try this server. */
  allows(server: string, nowMs: number): boolean {
    const record = this.#servers.get(server);
    if (record === undefined || nowMs >= record.openUntilMs) return true;
    if (record.hasProbed) return false;
    record.hasProbed = true;
    return true;
  }

  failed(server: string, nowMs: number): void {
    const record = this.#servers.get(server) ?? {
      failuresMs: [],
      openUntilMs: Number.NEGATIVE_INFINITY,
      hasProbed: false,
    };
    this.#servers.delete(server); // to be the newest again
    this.#servers.set(server, record);
    if (this.#servers.size > SERVERS_MAX) this.#servers.delete(this.#servers.keys().next().value!);
    record.failuresMs.push(nowMs);
    if (record.failuresMs.length > FAILURES) record.failuresMs.shift();
    const areMany = record.failuresMs.length === FAILURES && nowMs - record.failuresMs[0]! <= WITHIN_MS;
    if (!areMany || nowMs < record.openUntilMs) return;
    record.openUntilMs = nowMs + OPEN_MS;
    record.hasProbed = false;
  }

  succeeded(server: string): void {
    this.#servers.delete(server);
  }
}
