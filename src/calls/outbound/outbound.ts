// The rules of placing a call: from which account and number, to whom, for how long, and what is said about it. Pure;
// asking Twilio is submission.ts's business.
import type { AgentSettings } from "../../domain/agentSettings.ts";
import type { Refusal } from "../../domain/endings.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { ConfigurationId, NumberId } from "../../domain/ids.ts";
import { readDestination } from "../../numbers/dialing.ts";
import type { Configuration, Directory, PhoneNumber } from "../../numbers/directory.ts";
import { TRIAL_KEY_PRESS, TRIAL_NOTICE } from "../../twilio/errors.ts";
import type { CallOrder } from "../../twilio/rest.ts";

/** How long it rings. Twilio adds five seconds of its own. */
export const RING_S = 60;
/** On top of the workflow's limit, which is the one that should end a call. */
const TIME_LIMIT_MARGIN_S = 60;
/** What Twilio lets a call last unless it was asked for more. */
const TIME_LIMIT_MAX_S = 14_400;

type Accounts = Pick<Directory, "configuration" | "configurations" | "numbersOf" | "number">;

/** As whom a call is placed. */
export interface Line {
  readonly configuration: Configuration;
  /** The caller ID. */
  readonly number: PhoneNumber;
}

/**
 * The account and caller ID for a call; throws NOT_POSSIBLE. What was named explicitly is taken or refused, never
 * replaced by something else. Some refusals are a single word: clients of the API know them by it.
 */
export function chooseLine(
  accounts: Accounts,
  asked: { readonly configurationId?: ConfigurationId | undefined; readonly numberId?: NumberId | undefined },
): Line {
  const configuration = chooseConfiguration(accounts, asked.configurationId);
  return { configuration, number: chooseCallerId(accounts, configuration, asked.numberId) };
}

function chooseConfiguration(accounts: Accounts, id: ConfigurationId | undefined): Configuration {
  const isReady = (configuration: Configuration) => callerIdsOf(accounts, configuration).length > 0;
  if (id === undefined) {
    const ready = accounts.configurations().find(isReady);
    if (ready === undefined) throw notPossible("telephony_not_configured");
    return ready;
  }
  const configuration = accounts.configuration(id);
  if (configuration === undefined) throw notPossible("telephony_configuration_not_found");
  if (isReady(configuration)) return configuration;
  throw notPossible(
    `'${configuration.name}' is not ready for outbound calls. Add an active phone number to it, to be used as caller ID.`,
  );
}

function chooseCallerId(
  accounts: Accounts,
  configuration: Configuration,
  id: NumberId | undefined,
): PhoneNumber {
  const callerIds = callerIdsOf(accounts, configuration);
  if (id === undefined) return callerIds.find(({ isDefaultCallerId }) => isDefaultCallerId) ?? callerIds[0]!;
  const number = callerIds.find((own) => own.id === id);
  if (number === undefined) throw notPossible("from_phone_number_not_found");
  return number;
}

/** The numbers a call may be placed from. */
function callerIdsOf(accounts: Accounts, { id }: Configuration): PhoneNumber[] {
  return [...accounts.numbersOf(id)].filter(({ isActive, type }) => isActive && type === "pstn");
}

/** The destination as it is given to Twilio; throws NOT_POSSIBLE with what is wrong with it. */
export function destinationOf(
  asked: string | undefined,
  testNumber: string | undefined,
  prefixes: readonly string[],
): string {
  const text = asked || testNumber;
  if (!text) {
    throw notPossible(
      "Phone number must be provided in request or set in organization preferences (test_phone_number).",
    );
  }
  const read = readDestination(text, { prefixes });
  if ("problem" in read) throw notPossible(read.problem);
  return read.ok.normalized;
}

/** Why no call can be placed now, as the API says it. */
export function refusalError(refusal: Refusal): GatewayError {
  switch (refusal) {
    case "calls_at_limit":
      return new GatewayError("TOO_MANY", "Concurrent call limit reached. Try again when a call has ended.", {
        retryAfterS: 10,
      });
    case "draining":
      return busy("The gateway is shutting down and places no more calls.", 30);
    case "no_worker":
      return busy("No media worker is ready for a call just now. Try again in a moment.", 5);
    case "overloaded":
      return busy("The gateway carries what it can and places no calls just now. Try again in a moment.", 5);
    case "log_full":
      return busy(
        "The call log can't be written just now, so no call is placed. Look at the database's disk.",
        30,
      );
    case "workflow_archived":
      return notPossible("This workflow is archived. Activate it to place calls with it.");
    case "workflow_invalid":
      return notPossible("This workflow's definition names no agent that can talk. Correct it first.");
    default:
      return new GatewayError("NOT_FOUND", "Workflow not found");
  }
}

function busy(message: string, retryAfterS: number): GatewayError {
  return new GatewayError("NOT_NOW", message, { retryAfterS });
}

/** Where Twilio asks and tells, for one run. */
export interface RunUrls {
  readonly answer: string;
  readonly statusCallback: string;
  readonly machineDetection: string;
  readonly fallback: string;
}

/** What Twilio is asked for. */
export function orderFor(
  call: { readonly to: string; readonly from: string },
  urls: RunUrls,
  amdEnabled: boolean,
  agent: AgentSettings,
): CallOrder {
  return {
    to: call.to,
    from: call.from,
    // Never TwiML itself: a stream's token is bound to the CallSid, which isn't known yet.
    url: urls.answer,
    fallbackUrl: urls.fallback,
    statusCallback: urls.statusCallback,
    statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
    timeoutS: RING_S,
    timeLimitS: timeLimitS(agent),
    // Asynchronously: a person who answers must not be kept in silence until it is known that they are one.
    ...(amdEnabled && { machineDetection: "Enable", asyncAmdStatusCallback: urls.machineDetection }),
  };
}

function timeLimitS({ max_duration_ms: maxMs }: AgentSettings): number {
  if (maxMs === 0) return TIME_LIMIT_MAX_S;
  return Math.min(Math.ceil(maxMs / 1_000) + TIME_LIMIT_MARGIN_S, TIME_LIMIT_MAX_S);
}

/** What a trial account does to the call, for whoever placed it. */
export const TRIAL_WORDS = [TRIAL_NOTICE, TRIAL_KEY_PRESS]
  .map(({ sentence, remedy }) => `${sentence} ${remedy}`)
  .join(" ");

function notPossible(message: string): GatewayError {
  return new GatewayError("NOT_POSSIBLE", message);
}
