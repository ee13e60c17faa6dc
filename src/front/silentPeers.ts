// Who connects and asks nothing, by address, so that one stranger can't take the connections that webhooks need. The
// native side doesn't say whose connection ended, so that silence is counted from both ends of what it does say: a
// connection that came, and a request that was heard. Which of an address's connections was heard can't be told either:
// one that asks again and again makes up for silent ones beside it, and then the limit on all connections is what holds.
import type { Clock } from "../domain/clock.ts";

/** uWebSockets.js cuts a connection that has not finished a request's head after 10 to 12 seconds. */
const SILENCE_MS = 12_000;
/** Addresses counted; past it all begin anew, which is no more than a stranger with so many addresses can have. */
const ADDRESSES_MAX = 10_000;

export interface SilentPeersOptions {
  /** Connections of one address that have come in the last while and asked nothing. */
  readonly perAddress: number;
  /**
   * Whether addresses of this machine and of private networks are counted as well. They stand for many: a proxy that
   * ends TLS has one address for all of Twilio, and limits strangers itself.
   */
  readonly countsPrivate: boolean;
}

/** Connections without a request, of the present and the last 12 seconds. */
export class SilentPeers {
  readonly #options: SilentPeersOptions;
  readonly #clock: Clock;
  #now = new Map<string, number>();
  #before = new Map<string, number>();
  #turnedMs: number;

  constructor(options: SilentPeersOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#turnedMs = clock.nowMs();
  }

  /** Counts a new connection; false: its address has too many that are silent. */
  came(address: ArrayBuffer): boolean {
    const key = this.#keyOf(address);
    if (key === undefined) return true;
    this.#turn();
    const silent = (this.#now.get(key) ?? 0) + (this.#before.get(key) ?? 0);
    if (silent >= this.#options.perAddress) return false;
    this.#now.set(key, (this.#now.get(key) ?? 0) + 1);
    return true;
  }

  /** One of its connections has asked something. */
  asked(address: ArrayBuffer): void {
    const key = this.#keyOf(address);
    if (key === undefined || less(this.#now, key)) return;
    less(this.#before, key);
  }

  #turn(): void {
    const nowMs = this.#clock.nowMs();
    const agoMs = nowMs - this.#turnedMs;
    if (agoMs < SILENCE_MS && this.#now.size < ADDRESSES_MAX) return;
    this.#before = agoMs < 2 * SILENCE_MS ? this.#now : new Map();
    this.#now = new Map();
    this.#turnedMs = nowMs;
  }

  /** An IPv4 address, or the network of an IPv6 one, of which everybody has a whole /64; undefined: not counted. */
  #keyOf(address: ArrayBuffer): string | undefined {
    const bytes = Buffer.from(address);
    const isMapped = bytes.length === 16 && bytes.subarray(0, 12).equals(MAPPED);
    const significant = isMapped ? bytes.subarray(12) : bytes.length === 16 ? bytes.subarray(0, 8) : bytes;
    if (significant.length === 0) return undefined; // gone before it was looked at
    if (!this.#options.countsPrivate && isPrivate(isMapped ? significant : bytes)) return undefined;
    return significant.toString("latin1");
  }
}

/** ::ffff:0:0/96, how an IPv4 peer looks on a socket that listens on both. */
const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

/** Loopback, link-local and private addresses: RFC 1918, 3927, 6598 and 4193. */
export function isPrivate(address: Uint8Array): boolean {
  const [first = 0, second = 0] = address;
  if (address.length === 4) {
    return (
      first === 127 ||
      first === 10 ||
      (first === 172 && second >= 16 && second < 32) ||
      (first === 192 && second === 168) ||
      (first === 169 && second === 254) ||
      (first === 100 && second >= 64 && second < 128)
    );
  }
  const isLoopback = address.every((byte, at) => byte === (at === 15 ? 1 : 0));
  return isLoopback || (first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80);
}

/** One less, if there is one. */
function less(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key);
  if (count === undefined) return false;
  if (count === 1) counts.delete(key);
  else counts.set(key, count - 1);
  return true;
}
