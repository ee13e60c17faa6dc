// Which addresses an agent's server may have. A workflow's URL is written by whoever may use the API, and the
// gateway stands inside a network: it must not be made to call what is only reachable from there. Pure.
import { BlockList, isIP } from "node:net";

/** Networks that are nobody's on the internet, with what each is for. */
const NOT_PUBLIC: readonly (readonly [network: string, prefix: number, what: string])[] = [
  ["0.0.0.0", 8, "this network"],
  ["10.0.0.0", 8, "a private network"],
  ["100.64.0.0", 10, "a carrier's inner network"],
  ["127.0.0.0", 8, "loopback"],
  ["168.63.129.16", 32, "a cloud's inner service"],
  ["169.254.0.0", 16, "link-local"],
  ["172.16.0.0", 12, "a private network"],
  ["192.0.0.0", 24, "protocol assignments"],
  ["192.0.2.0", 24, "documentation"],
  ["192.88.99.0", 24, "a relay to IPv6"],
  ["192.168.0.0", 16, "a private network"],
  ["198.18.0.0", 15, "benchmarks"],
  ["198.51.100.0", 24, "documentation"],
  ["203.0.113.0", 24, "documentation"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved or broadcast"],
  ["::1", 128, "loopback"],
  ["::", 128, "unspecified"],
  ["::ffff:0:0", 96, "an IPv4 address in disguise"],
  ["64:ff9b::", 96, "an IPv4 address in disguise"],
  ["2001::", 23, "protocol assignments or a tunnel"],
  ["2001:db8::", 32, "documentation"],
  ["2002::", 16, "an IPv4 address in disguise"],
  ["3fff::", 20, "documentation"],
  ["fc00::", 7, "a private network"],
  ["fe80::", 10, "link-local"],
  ["ff00::", 8, "multicast"],
  // Of IPv6 only 2000::/3 is handed out to anyone.
  ["::", 3, "reserved"],
  ["4000::", 2, "reserved"],
  ["8000::", 1, "reserved"],
];

const lists = NOT_PUBLIC.map(([network, prefix, what]) => {
  const family = network.includes(":") ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return { family, list, what } as const;
});

/** What an address is instead of public; undefined: it is public. */
export function notPublic(address: string): string | undefined {
  const bare = address.replace(/%.*$/, "");
  const version = isIP(bare);
  if (version === 0) return "no address";
  const family = version === 6 ? "ipv6" : "ipv4";
  // The lists take a disguised IPv4 address for what it hides, and that is not asked here.
  return lists.find((each) => each.family === family && each.list.check(bare, family))?.what;
}

/** A URL's host as DNS or a socket takes it: IPv6 without brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** Whether an operator allows this host although it is not public, and to be called without TLS. */
export function isAllowed({ hostname }: URL, privateHosts: readonly string[]): boolean {
  return privateHosts.includes(hostname);
}

/** Says why a URL can't be an agent server's, and what to do; undefined: it can, as far as it can be seen from it. */
export function urlProblem(text: string, privateHosts: readonly string[]): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return "must be an address such as wss://agent.example.com/call";
  if (!/^wss?:$/.test(url.protocol)) return "must begin with wss://";
  if (url.username !== "" || url.password !== "")
    return "must hold no user and no password; what a server is to know its callers by is the agent_secret";
  if (url.href.includes("#")) return "must have no fragment";
  if (url.port === "0") return "must have a port that can be called, not 0";
  if (isAllowed(url, privateHosts)) return undefined;
  const host = hostOf(url);
  const allow = `an operator allows it by naming ${url.hostname} in AGENT_PRIVATE_HOSTS`;
  const what = isIP(host) !== 0 ? notPublic(host) : isLocalName(host) ? "loopback" : undefined;
  if (what !== undefined) return `must have a public host, and ${url.hostname} is not (${what}); ${allow}`;
  if (url.protocol === "ws:") return `must begin with wss://, since calls are not sent in clear; ${allow}`;
  return undefined;
}

function isLocalName(host: string): boolean {
  return /(^|\.)localhost\.?$/.test(host);
}
