// Where Twilio thinks things are, and where they really are: signatures are made over public addresses, connections
// to the gateway's own.

/** Two addresses of one gateway. */
export class Addresses {
  /** Without a slash at the end. */
  readonly publicBase: string;
  readonly #gatewayBase: string;

  /**
   * @param publicBase the gateway's PUBLIC_BASE_URL: http or https, with an optional path prefix
   * @param gatewayBase where it listens; the public base is replaced by it, so a prefix missing here is stripped
   * @throws TypeError for what is no such URL
   */
  constructor(publicBase: string, gatewayBase = publicBase) {
    this.publicBase = baseOf(publicBase);
    this.#gatewayBase = baseOf(gatewayBase);
  }

  /** Where to connect for a public address: the same text, with the gateway's base instead of the public one. Other addresses stay. */
  dialable(publicUrl: string): string {
    const isStream = /^wss?:/.test(publicUrl);
    const base = isStream ? this.publicBase.replace(/^http/, "ws") : this.publicBase;
    const rest = publicUrl.slice(base.length);
    if (!publicUrl.startsWith(base) || !/^(?:[/?]|$)/.test(rest)) return publicUrl;
    return (isStream ? this.#gatewayBase.replace(/^http/, "ws") : this.#gatewayBase) + rest;
  }

  /** The public address of what a document names, which may be relative to the document's own. */
  static resolve(reference: string, documentUrl: string): string {
    return /^\w+:\/\//.test(reference) ? reference : new URL(reference, documentUrl).href;
  }
}

function baseOf(url: string): string {
  const parsed = new URL(url);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new TypeError(`${url} must begin with http:// or https://`);
  }
  if (parsed.search || parsed.hash || parsed.username) {
    throw new TypeError(`${url} must have no query, fragment or user`);
  }
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, "");
}
