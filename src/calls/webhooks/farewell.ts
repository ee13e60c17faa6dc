// What Twilio is told once a call is no longer live: at its Connect action, and at a repeat of its webhook.
import {
  DIAL_ENDINGS,
  type Farewell,
  farewellOf,
  type Outcome,
  REFUSALS,
  type Refusal,
} from "../../domain/endings.ts";
import { apologizeAndHangUp, hangUp, reject } from "../../twilio/twiml.ts";
import type { CallDirection } from "../log/records.ts";
import type { WebhookAnswer } from "../observer.ts";

const APOLOGY = "We are sorry, something went wrong with this call. Please try again later.";
const APOLOGIZE = apologizeAndHangUp(APOLOGY);

export interface TwimlAnswer {
  readonly twiml: string;
  readonly answer: WebhookAnswer;
}

/** What of a call's record says how it is left. */
export interface EndedCall {
  readonly outcome: Outcome;
  readonly direction: CallDirection;
  readonly isApologized?: boolean | undefined;
}

/** The one answer that belongs to a call's end: asked twice, it is the same bytes twice. */
export function answerAfter({ outcome, direction, isApologized }: EndedCall): TwimlAnswer {
  if (isOneOf(REFUSALS, outcome)) return direction === "inbound" ? refuse(outcome) : refuseAnswered();
  if (isApologized === true) return sayGoodbye("hang_up");
  // Whoever was dialled and never talked is owed no words, should Twilio ask all the same.
  return sayGoodbye(isOneOf(DIAL_ENDINGS, outcome) ? "hang_up" : farewellOf(outcome));
}

/** Not answered, not billed. Busy when it is us, rejected when nobody would ever answer. */
export function refuse(refusal: Refusal): TwimlAnswer {
  switch (refusal) {
    case "calls_at_limit":
    case "draining":
    case "no_worker":
    case "overloaded":
    case "log_full":
      return { twiml: reject("busy"), answer: "busy" };
    default:
      return { twiml: reject(), answer: "reject" };
  }
}

/**
 * A call that was placed is answered before its TwiML is asked for: it can't be rejected any more, and whoever picked
 * up is owed a word.
 */
export function refuseAnswered(): TwimlAnswer {
  return sayGoodbye("apologize");
}

export function sayGoodbye(farewell: Farewell): TwimlAnswer {
  return farewell === "hang_up"
    ? { twiml: hangUp(), answer: "hang_up" }
    : { twiml: APOLOGIZE, answer: "apologize" };
}

function isOneOf<Word extends Outcome>(words: readonly Word[], outcome: Outcome): outcome is Word {
  return (words as readonly Outcome[]).includes(outcome);
}
