// Whether Twilio takes a configuration's credentials, found out when they are saved; a form is never lost over it.
import type { Clock } from "../../domain/clock.ts";
import { type TwilioAccess, TwilioFailure, type TwilioRest } from "../../twilio/rest.ts";
import type { Configuration } from "../directory.ts";
import { within } from "../within.ts";
import type { CredentialsCheck, CredentialsState } from "./configurations.store.ts";

export interface CredentialsParts {
  readonly rest: TwilioRest;
  readonly accessOf: (configuration: Configuration) => TwilioAccess;
  readonly clock: Clock;
}

/** So long the person who saves waits for Twilio. */
const CHECK_MS = 4_000;
/** Twilio's test number, which no account owns: to ask for it costs nothing and needs a key that counts. */
const NOBODYS_NUMBER = "+15005550006";

type Verdict = Pick<CredentialsCheck, "state" | "message"> & { readonly accountType?: string };

/** Never rejects for what Twilio says or doesn't. */
export async function checkCredentials(
  { rest, accessOf, clock }: CredentialsParts,
  configuration: Configuration,
): Promise<CredentialsCheck> {
  const verdict = await within(clock, CHECK_MS, tried(rest, accessOf(configuration), configuration));
  const { state, message, accountType } = verdict === "late" ? LATE : verdict;
  return { state, message, accountType, atMs: Math.round(clock.wallMs()) };
}

const LATE: Verdict = {
  state: "unreachable",
  message: "Twilio did not answer within 4 seconds, so the credentials were saved without having been tried.",
};

/** The token first, as an API key may not look at its account; then the key. */
async function tried(rest: TwilioRest, access: TwilioAccess, configuration: Configuration): Promise<Verdict> {
  const { accountSid, authTokens, apiKey } = configuration;
  try {
    const account = await rest.account({ ...access, username: accountSid, password: authTokens[0]! });
    if (account.status !== "active") {
      return {
        state: "suspended",
        message: `Twilio has this account as ${account.status}: no call can be placed or answered. Its console says why.`,
        accountType: account.type,
      };
    }
    if (apiKey === undefined) return { state: "valid", message: undefined, accountType: account.type };
    const keyProblem = await keyTried(rest, access);
    return keyProblem ?? { state: "valid", message: undefined, accountType: account.type };
  } catch (error) {
    return verdictOf(error);
  }
}

async function keyTried(rest: TwilioRest, access: TwilioAccess): Promise<Verdict | undefined> {
  try {
    await rest.findNumber(access, NOBODYS_NUMBER);
    return undefined;
  } catch (error) {
    const { state, message } = verdictOf(error);
    if (state !== "rejected") return { state, message };
    return {
      state,
      message:
        "Twilio accepts the auth token, but not the API key. Copy the key's SID and secret again, or make a new key in Twilio's console: a secret is shown only once there.",
    };
  }
}

function verdictOf(error: unknown): Verdict {
  if (!(error instanceof TwilioFailure)) throw error;
  return { state: STATE_OF[error.kind], message: error.message };
}

const STATE_OF: Readonly<Record<TwilioFailure["kind"], CredentialsState>> = {
  credentials: "rejected",
  suspended: "suspended",
  refused: "unreachable",
  rate_limited: "unreachable",
  unreachable: "unreachable",
  unknown: "unreachable",
};
