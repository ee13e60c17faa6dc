// How a request to Twilio fails, as one typed error. What matters most is whether Twilio may have acted on it: a
// call must never be dialled twice.
import { GatewayError, type GatewayErrorCode } from "../domain/errors.ts";
import { docsUrl, explainTwilioCode } from "./errors.ts";

/**
 * Only after `unknown` may Twilio have done what it was asked; after all others it certainly has not.
 *
 *   credentials   Twilio does not accept the SID, token or key
 *   suspended     the account is suspended or closed
 *   refused       Twilio answered no; `code` says why
 *   rate_limited  too many requests at a time, also after our own retries
 *   unreachable   no connection was made, so nothing was sent
 *   unknown       the connection broke or nothing usable came back after something was sent
 */
export const FAILURE_KINDS = [
  "credentials",
  "suspended",
  "refused",
  "rate_limited",
  "unreachable",
  "unknown",
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** What is known beside the kind. */
export interface FailureFacts {
  /** Twilio's error code. */
  readonly twilioCode?: number | undefined;
  /** The answer's HTTP status; undefined when there was no answer. */
  readonly status?: number | undefined;
  /** What Twilio wants waited. */
  readonly retryAfterS?: number | undefined;
  /** Twilio's own message, shortened. It may hold a phone number: for the API's answers, never for a log. */
  readonly twilioWords?: string | undefined;
  readonly cause?: unknown;
}

/** `message` says what happened and what to do, and holds no secret and no phone number. */
export class TwilioFailure extends GatewayError {
  readonly kind: FailureKind;
  readonly twilioCode: number | undefined;
  readonly status: number | undefined;
  readonly twilioWords: string | undefined;

  constructor(kind: FailureKind, message: string, facts: FailureFacts = {}) {
    super(gatewayCode(kind), message, {
      ...(facts.cause !== undefined && { cause: facts.cause }),
      ...(facts.retryAfterS !== undefined && { retryAfterS: facts.retryAfterS }),
    });
    this.name = "TwilioFailure";
    this.kind = kind;
    this.twilioCode = facts.twilioCode;
    this.status = facts.status;
    this.twilioWords = facts.twilioWords;
  }

  /** Whether Twilio may have done what it was asked all the same. */
  get mayHaveActed(): boolean {
    return this.kind === "unknown";
  }
}

function gatewayCode(kind: FailureKind): GatewayErrorCode {
  switch (kind) {
    case "credentials":
    case "suspended":
    case "refused":
      return "TWILIO_REFUSED";
    case "rate_limited":
    case "unreachable":
    case "unknown":
      return "TWILIO_UNREACHABLE";
  }
}

/** An answer of Twilio, or of whatever stands in front of it. */
export interface Answer {
  readonly status: number;
  /** The header as sent. */
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/** The parsed body when it is a JSON object; undefined for anything else. */
export function jsonObjectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** What an answer without success means. `wallMs` is now: Retry-After may be a date. */
export function failureOf(answer: Answer, wallMs: number): TwilioFailure {
  const { status } = answer;
  const body = jsonObjectIn(answer.text);
  const code = typeof body?.code === "number" && Number.isInteger(body.code) ? body.code : undefined;
  const kind = kindOf(status, code);
  return new TwilioFailure(kind, sentenceOf(kind, status, code), {
    twilioCode: code,
    status,
    retryAfterS: kind === "rate_limited" ? retryAfterS(answer.retryAfter, wallMs) : undefined,
    twilioWords: wordsIn(body),
  });
}

const ACCOUNT_INACTIVE = [10001, 20005];
const CREDENTIALS_REFUSED = 20003;
/** A proxy uses these two for a request that it has perhaps already passed on. */
const AMBIGUOUS_STATUSES = [408, 499];

function kindOf(status: number, code: number | undefined): FailureKind {
  if (status === 429) return "rate_limited";
  // A redirect is not Twilio's, and a failure inside Twilio doesn't say how far the request got.
  if (status < 400 || status >= 500 || AMBIGUOUS_STATUSES.includes(status)) return "unknown";
  if (code !== undefined && ACCOUNT_INACTIVE.includes(code)) return "suspended";
  if (status === 401 || code === CREDENTIALS_REFUSED) return "credentials";
  return "refused";
}

function sentenceOf(kind: FailureKind, status: number, code: number | undefined): string {
  if (code !== undefined && kind !== "unknown") {
    const { sentence, remedy } = explainTwilioCode(code);
    return `${sentence} ${remedy}`;
  }
  switch (kind) {
    case "credentials":
      return explained(CREDENTIALS_REFUSED);
    case "rate_limited":
      return explained(20429);
    case "unknown": {
      const about = code === undefined ? "" : ` See ${docsUrl(code)}.`;
      return `Twilio answered with HTTP status ${status}, and it can't be told whether it did what was asked.${about}`;
    }
    default:
      return `Twilio refused the request with HTTP status ${status} and no reason. Check TWILIO_API_BASE_URL if it is set.`;
  }
}

function explained(code: number): string {
  const { sentence, remedy } = explainTwilioCode(code);
  return `${sentence} ${remedy}`;
}

/** Seconds from a number or an HTTP date; undefined when there is none that can be read. */
function retryAfterS(header: string | undefined, wallMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*[0-9]{1,9}\s*$/.test(header)) return Number(header);
  const untilMs = Date.parse(header);
  return Number.isNaN(untilMs) ? undefined : Math.max(0, Math.ceil((untilMs - wallMs) / 1_000));
}

const TWILIO_WORDS_MAX = 300;

function wordsIn(body: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const words = body?.message ?? body?.detail; // the second is RFC 9457's, which Twilio's newer answers follow
  if (typeof words !== "string") return undefined;
  return (
    words
      .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
      .trim()
      .slice(0, TWILIO_WORDS_MAX) || undefined
  );
}
