// Twilio's REST errors, as far as the exchange makes them: code, HTTP status, and words like Twilio's.

const ERRORS = {
  10004: { status: 429, text: "Call concurrency limit exceeded" },
  20001: { status: 400, text: "Bad request: {}" },
  20003: { status: 401, text: "Authenticate" },
  20004: { status: 405, text: "Method not allowed" },
  20404: { status: 404, text: "The requested resource {} was not found" },
  20429: { status: 429, text: "Too Many Requests" },
  20500: { status: 500, text: "Internal server error" },
  20503: { status: 503, text: "Service unavailable" },
  21200: { status: 400, text: "Invalid parameter: {}" },
  21201: { status: 400, text: "No 'To' number is specified" },
  21205: { status: 400, text: "Url is not a valid URL: {}" },
  21208: { status: 400, text: "Timeout is not valid: {}" },
  21210: {
    status: 400,
    text: "The source phone number provided, {}, is not yet verified for your account. You may only make calls from phone numbers that you've verified or purchased from Twilio.",
  },
  21211: { status: 400, text: "The phone number you are attempting to call, {}, is not valid." },
  21212: { status: 400, text: "The source phone number provided, {}, is not valid." },
  21213: { status: 400, text: "No 'From' number is specified" },
  21215: {
    status: 400,
    text: "Account not authorized to call {}. Perhaps you need to enable some international permissions.",
  },
  21219: {
    status: 400,
    text: "The number {} is unverified. Trial accounts may only make calls to verified numbers.",
  },
  21220: { status: 400, text: "Call is not in-progress. Cannot redirect." },
  21402: { status: 400, text: "{} is not valid" },
  21405: { status: 400, text: "VoiceFallbackUrl cannot be set without VoiceUrl" },
  21609: { status: 400, text: "The StatusCallback URL {} is not a valid URL." },
  573005: {
    status: 400,
    text: "The destination {} is not verified. Trial accounts may only call verified numbers.",
  },
} as const;

export type RestErrorCode = keyof typeof ERRORS;

/** A request that is refused. */
export class RestError extends Error {
  readonly code: RestErrorCode;
  /** Of HTTP. */
  readonly status: number;

  /** `about` stands in the message where Twilio names what is wrong. */
  constructor(code: RestErrorCode, about = "") {
    super(ERRORS[code].text.replace("{}", () => about));
    this.name = "RestError";
    this.code = code;
    this.status = ERRORS[code].status;
  }

  /** The body of the answer. */
  get body(): object {
    const { code, message, status } = this;
    return { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
  }
}
