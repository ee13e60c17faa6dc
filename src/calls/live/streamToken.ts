// The ticket that lets one media stream in: signed, in the URL's path, bound to one call, short-lived. Whether
// it was used before is the call's knowledge, not the token's.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { AccountSid, CallSid } from "../../domain/ids.ts";
import { RESERVATION_MS } from "./lifecycle.ts";

/** How far two wall clocks may be apart. */
const SKEW_MS = 5_000;
const KEY_BYTES = 32;
const NONCE_BYTES = 16;
/** Longer than any token we make, so that a stranger can't make us hash much. */
const TOKEN_CHARS_MAX = 400;
const PURPOSE = "stream";
const VERSION = "1";

export interface StreamClaims {
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  /** By the wall clock. */
  readonly expiresAtMs: number;
  /** 128 random bits: tells this token from any other of the same call. */
  readonly nonce: string;
}

/** Makes and checks tokens under one key, which never leaves the process. */
export class StreamTokens {
  readonly #key = randomBytes(KEY_BYTES);

  mint(callSid: CallSid, accountSid: AccountSid, wallMs: number): { token: string; nonce: string } {
    const nonce = randomBytes(NONCE_BYTES).toString("base64url");
    const expiresAtMs = Math.round(wallMs) + RESERVATION_MS;
    const text = [VERSION, PURPOSE, callSid, accountSid, expiresAtMs, nonce].join(" ");
    const body = Buffer.from(text).toString("base64url");
    return { token: `${body}.${this.#sign(body)}`, nonce };
  }

  /** The claims of a token that is ours and of this time, or what is wrong with it. */
  check(
    token: string,
    wallMs: number,
  ): StreamClaims | "token_absent" | "token_malformed" | "token_forged" | "token_expired" {
    if (token === "") return "token_absent";
    const parts = token.length <= TOKEN_CHARS_MAX ? token.split(".") : [];
    const [body, mac] = parts;
    if (parts.length !== 2 || body === undefined || mac === undefined) return "token_malformed";
    if (!/^[\w-]+$/.test(body) || !/^[\w-]{43}$/.test(mac)) return "token_malformed";
    if (!timingSafeEqual(Buffer.from(mac), Buffer.from(this.#sign(body)))) return "token_forged";
    const [version, purpose, callSid, accountSid, expires, nonce] = Buffer.from(body, "base64url")
      .toString()
      .split(" ");
    if (version !== VERSION || purpose !== PURPOSE) return "token_malformed";
    const expiresAtMs = Number(expires);
    const isOfThisTime = wallMs <= expiresAtMs + SKEW_MS && wallMs >= expiresAtMs - RESERVATION_MS - SKEW_MS;
    if (!isOfThisTime) return "token_expired";
    return { callSid: CallSid(callSid!), accountSid: AccountSid(accountSid!), expiresAtMs, nonce: nonce! };
  }

  #sign(body: string): string {
    return createHmac("sha256", this.#key).update(body).digest("base64url");
  }
}
