// A webhook's answer as the document that a call obeys, or Twilio's number for why it can't be one.
import type { ComplaintCode } from "./complaints.ts";
import { parseTwiml, TwimlError, type Verb } from "./twiml.ts";
import { TWIML_MAX_BYTES, type WebhookAnswer } from "./webhook.ts";

/** A document's verbs, and the address that relative ones in it are relative to. */
export interface Document {
  readonly verbs: readonly Verb[];
  readonly url: string;
}

/** Why there is no document. */
export interface DocumentFault {
  readonly code: ComplaintCode;
  readonly detail?: string;
}

const TWIML_TYPES = ["text/xml", "application/xml", "text/html"];

/** Reads what `url` answered. */
export function readDocument(answer: WebhookAnswer, url: string): Document | DocumentFault {
  const { status, contentType, body } = answer;
  if (status < 200 || status > 299) return { code: 11200, detail: `status ${status} from ${url}` };
  if (Buffer.byteLength(body) > TWIML_MAX_BYTES) return { code: 11750 };
  if (!TWIML_TYPES.includes(contentType)) return { code: 12300, detail: contentType || "none" };
  return readTwiml(body, url);
}

/** Reads TwiML that came without a request. */
export function readTwiml(body: string, url: string): Document | DocumentFault {
  try {
    return { verbs: parseTwiml(body), url };
  } catch (error) {
    if (!(error instanceof TwimlError)) throw error;
    return { code: 12100, detail: error.message };
  }
}
