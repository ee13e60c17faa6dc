// A Twilio account as the exchange knows it: credentials, state, what a trial may do, and the numbers it owns.
import type { HttpMethod } from "../twiml.ts";

export interface ApiKey {
  /** Begins with SK. */
  readonly sid: string;
  readonly secret: string;
  /** A standard key, the default, doesn't open the Account resource itself (20003); a main one does. */
  readonly kind?: "standard" | "main";
}

/** How an account begins; everything has a default. */
export interface AccountOptions {
  readonly accountSid?: string;
  readonly authToken?: string;
  readonly secondaryToken?: string;
  readonly apiKeys?: readonly ApiKey[];
  readonly friendlyName?: string;
  readonly status?: AccountStatus;
  readonly trial?: TrialOptions | boolean;
  /** Calls placed per second; further ones wait in the queue. 1, as Twilio's default. */
  readonly callsPerSecond?: number;
  /** Calls at the same time, queued ones included; more are answered with 429 (10004). No limit by default. */
  readonly callsMax?: number;
  /** Prefixes such as `+882` that the account may not call (21215). */
  readonly forbiddenPrefixes?: readonly string[];
  /** Numbers owned from the start. */
  readonly numbers?: readonly (string | NumberOptions)[];
}

export type AccountStatus = "active" | "suspended" | "closed";

export interface TrialOptions {
  /** The only numbers that may be called. */
  readonly verified?: readonly string[];
  /** What a call to any other is refused with; newer accounts get 573005. */
  readonly refusalCode?: 21219 | 573005;
  /** False: no notice is read and no key must be pressed before the TwiML is asked for. */
  readonly notice?: boolean;
  /** How long the notice is. */
  readonly noticeMs?: number;
}

/** A number's settings, under the names of Twilio's request parameters. */
export interface NumberSettings {
  FriendlyName: string;
  VoiceUrl: string;
  VoiceMethod: HttpMethod;
  VoiceFallbackUrl: string;
  VoiceFallbackMethod: HttpMethod;
  StatusCallback: string;
  StatusCallbackMethod: HttpMethod;
  VoiceCallerIdLookup: string;
  VoiceApplicationSid: string;
  TrunkSid: string;
  SmsUrl: string;
  SmsMethod: HttpMethod;
  SmsFallbackUrl: string;
  SmsFallbackMethod: HttpMethod;
  SmsApplicationSid: string;
  VoiceReceiveMode: string;
  EmergencyStatus: string;
  EmergencyAddressSid: string;
  AddressSid: string;
  IdentitySid: string;
  BundleSid: string;
}

export interface NumberOptions extends Partial<NumberSettings> {
  readonly phoneNumber: string;
  /** Begins with PN; random by default. */
  readonly sid?: string;
}

/** A number that an account owns. A test may change its settings as someone else would in Twilio's console. */
export interface OwnedNumber {
  readonly sid: string;
  readonly phoneNumber: string;
  readonly settings: NumberSettings;
  readonly createdMs: number;
  updatedMs: number;
}

const SETTINGS: NumberSettings = {
  FriendlyName: "",
  VoiceUrl: "",
  VoiceMethod: "POST",
  VoiceFallbackUrl: "",
  VoiceFallbackMethod: "POST",
  StatusCallback: "",
  StatusCallbackMethod: "POST",
  VoiceCallerIdLookup: "false",
  VoiceApplicationSid: "",
  TrunkSid: "",
  SmsUrl: "",
  SmsMethod: "POST",
  SmsFallbackUrl: "",
  SmsFallbackMethod: "POST",
  SmsApplicationSid: "",
  VoiceReceiveMode: "voice",
  EmergencyStatus: "Inactive",
  EmergencyAddressSid: "",
  AddressSid: "",
  IdentitySid: "",
  BundleSid: "",
};

/** What an account needs of the exchange. */
export interface AccountSurroundings {
  wallMs(): number;
  /** The prefix and 32 random hex digits. */
  newSid(prefix: string): string;
}

/** Its fields may be changed at any time, as an owner would in the console. */
export class TwinAccount {
  readonly accountSid: string;
  authToken: string;
  secondaryToken: string | undefined;
  readonly apiKeys: ApiKey[];
  friendlyName: string;
  status: AccountStatus;
  trial: Required<TrialOptions> | undefined;
  callsPerSecond: number;
  callsMax: number;
  forbiddenPrefixes: readonly string[];
  readonly numbers: OwnedNumber[] = [];
  readonly createdMs: number;
  readonly #surroundings: AccountSurroundings;

  constructor(options: AccountOptions, surroundings: AccountSurroundings) {
    this.#surroundings = surroundings;
    this.accountSid = options.accountSid ?? surroundings.newSid("AC");
    this.authToken = options.authToken ?? surroundings.newSid("");
    this.secondaryToken = options.secondaryToken;
    this.apiKeys = [...(options.apiKeys ?? [])];
    this.friendlyName = options.friendlyName ?? "Offline account";
    this.status = options.status ?? "active";
    this.trial = options.trial ? trialOf(options.trial === true ? {} : options.trial) : undefined;
    this.callsPerSecond = options.callsPerSecond ?? 1;
    this.callsMax = options.callsMax ?? Number.POSITIVE_INFINITY;
    this.forbiddenPrefixes = options.forbiddenPrefixes ?? [];
    this.createdMs = surroundings.wallMs();
    for (const number of options.numbers ?? []) this.addNumber(number);
  }

  /** Another number, as if bought just now. */
  addNumber(options: string | NumberOptions): OwnedNumber {
    const { phoneNumber, sid, ...settings } =
      typeof options === "string" ? { phoneNumber: options } : options;
    const createdMs = this.#surroundings.wallMs();
    const owned: OwnedNumber = {
      sid: (sid as string | undefined) ?? this.#surroundings.newSid("PN"),
      phoneNumber,
      settings: { ...SETTINGS, FriendlyName: phoneNumber, ...settings },
      createdMs,
      updatedMs: createdMs,
    };
    this.numbers.push(owned);
    return owned;
  }

  /** The number, compared exactly. */
  number(phoneNumber: string): OwnedNumber | undefined {
    return this.numbers.find((owned) => owned.phoneNumber === phoneNumber);
  }

  /** What these open of the account: the SID with the primary or secondary token, or an API key's pair. */
  openedBy(username: string, password: string): "everything" | "all but the account" | undefined {
    if (username === this.accountSid) {
      return password === this.authToken || password === this.secondaryToken ? "everything" : undefined;
    }
    const key = this.apiKeys.find(({ sid, secret }) => sid === username && secret === password);
    if (key === undefined) return undefined;
    return key.kind === "main" ? "everything" : "all but the account";
  }

  /** The secondary token takes the primary's place, and signs from now on. */
  promoteSecondaryToken(): void {
    if (this.secondaryToken === undefined) throw new Error("the account has no secondary token to promote");
    this.authToken = this.secondaryToken;
    this.secondaryToken = undefined;
  }
}

function trialOf({ verified, refusalCode, notice, noticeMs }: TrialOptions): Required<TrialOptions> {
  return {
    verified: verified ?? [],
    refusalCode: refusalCode ?? 21219,
    notice: notice ?? true,
    noticeMs: noticeMs ?? 3_000,
  };
}
