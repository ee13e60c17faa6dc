// Where an agent's server is: its name's addresses, looked up for all calls of a worker together and each checked.
// Fifty calls a second must not be fifty look-ups, since all of a process share four threads for them.
import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { hostOf, isAllowed, notPublic } from "./address.ts";

/** How long an answer counts; the one connection that follows goes to just these addresses. */
const FRESH_MS = 5_000;
/** No answer counts for less: a name that is mended should work soon. */
const FRESH_FAILURE_MS = 500;
const NAMES_MAX = 1_000;

/** All addresses of a name. */
export type Lookup = (
  name: string,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void;

export type Resolved =
  | { readonly addresses: readonly LookupAddress[] }
  | { readonly failure: "dns" | "address"; readonly detail: string };

interface Answer {
  readonly resolved: Promise<Resolved>;
  freshUntilMs: number;
}

const systemLookup: Lookup = (name, done) => dnsLookup(name, { all: true }, done);

export class Resolver {
  readonly #lookup: Lookup;
  readonly #answers = new Map<string, Answer>();

  constructor(lookup: Lookup = systemLookup) {
    this.#lookup = lookup;
  }

  /** The addresses to connect to; none, when one of them is not public and the host is not allowed by name. */
  async resolve(url: URL, privateHosts: readonly string[], nowMs: number): Promise<Resolved> {
    const host = hostOf(url);
    const family = isIP(host);
    const resolved =
      family === 0 ? await this.#named(host, nowMs) : { addresses: [{ address: host, family }] };
    if ("failure" in resolved || isAllowed(url, privateHosts)) return resolved;
    for (const { address } of resolved.addresses) {
      const what = notPublic(address);
      // Which address it is stays here: it would tell whoever writes workflows how the network inside looks.
      if (what !== undefined) return { failure: "address", detail: `${host} is not public (${what})` };
    }
    return resolved;
  }

  #named(name: string, nowMs: number): Promise<Resolved> {
    const known = this.#answers.get(name);
    if (known !== undefined && nowMs < known.freshUntilMs) return known.resolved;
    const asked = Promise.withResolvers<Resolved>();
    const answer: Answer = { resolved: asked.promise, freshUntilMs: nowMs + FRESH_MS };
    this.#answers.delete(name); // to be the newest again
    this.#answers.set(name, answer);
    if (this.#answers.size > NAMES_MAX) this.#answers.delete(this.#answers.keys().next().value!);
    this.#lookup(name, (error, addresses) => {
      if (error === null && addresses.length > 0) return asked.resolve({ addresses });
      answer.freshUntilMs = nowMs + FRESH_FAILURE_MS;
      asked.resolve({ failure: "dns", detail: `${name} was not found (${error?.code ?? "no addresses"})` });
    });
    return asked.promise;
  }
}

/** For a socket: the addresses that were checked, and no others. */
export function pinned(addresses: readonly LookupAddress[]): LookupFunction {
  return (_name, { all }, done) => {
    if (all) done(null, [...addresses]);
    else done(null, addresses[0]!.address, addresses[0]!.family);
  };
}
