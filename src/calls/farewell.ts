// What Twilio is told once a call is no longer live: at its Connect action, and at a repeat of its webhook.
import { type Farewell, farewellOf, type Outcome, REFUSALS, type Refusal } from "../domain/endings.ts";
import { apologizeAndHangUp, hangUp, reject } from "../twilio/twiml.ts";
import type { WebhookAnswer } from "./observer.ts";

const APOLOGY = "We are sorry, something went wrong with this call. Please try again later.";
const APOLOGIZE = apologizeAndHangUp(APOLOGY);

export interface TwimlAnswer {
  readonly twiml: string;
  readonly answer: WebhookAnswer;
}

/** The one answer that belongs to an outcome: asked twice, it is the same bytes twice. */
export function answerAfter(outcome: Outcome): TwimlAnswer {
  return isRefusal(outcome) ? refuse(outcome) : sayGoodbye(farewellOf(outcome));
}

/** Not answered, not billed. Busy when it is us, rejected when nobody would ever answer. */
export function refuse(refusal: Refusal): TwimlAnswer {
  switch (refusal) {
    case "calls_at_limit":
    case "draining":
    case "no_worker":
      return { twiml: reject("busy"), answer: "busy" };
    default:
      return { twiml: reject(), answer: "reject" };
  }
}

export function sayGoodbye(farewell: Farewell): TwimlAnswer {
  return farewell === "hang_up"
    ? { twiml: hangUp(), answer: "hang_up" }
    : { twiml: APOLOGIZE, answer: "apologize" };
}

function isRefusal(outcome: Outcome): outcome is Refusal {
  return (REFUSALS as readonly string[]).includes(outcome);
}
