// A call from outside to a number of the exchange: what is stored at the number decides where it goes.
import { CALLER, TwinCall } from "../call.ts";
import type { DialOptions, Redirection } from "../dial.ts";
import { type CallStatus, lengthParams } from "../params.ts";
import { Requests, type Switchboard } from "../switchboard.ts";
import type { OwnedNumber, TwinAccount } from "./account.ts";
import { after } from "./agenda.ts";
import { StatusCallbacks } from "./callbacks.ts";
import type { Faults } from "./faults.ts";
import type { LiveCall } from "./liveCall.ts";
import { TRIAL_CALL_MAX_MS } from "./placed.ts";
import { CallRecord } from "./record.ts";

export class InboundCall implements LiveCall {
  readonly record: CallRecord;
  readonly leg: TwinCall;
  readonly isQueued = false;
  readonly concluded: Promise<void>;
  readonly #switchboard: Switchboard;
  readonly #callbacks: StatusCallbacks;
  #isClosed = false;

  constructor(
    account: TwinAccount,
    number: OwnedNumber,
    options: DialOptions,
    switchboard: Switchboard,
    faults: Faults,
  ) {
    const { settings } = number;
    this.#switchboard = switchboard;
    this.leg = new TwinCall(switchboard, {
      voiceUrl: settings.VoiceUrl,
      voiceMethod: settings.VoiceMethod,
      voiceFallbackUrl: settings.VoiceFallbackUrl,
      voiceFallbackMethod: settings.VoiceFallbackMethod,
      ...options,
    });
    const { sid } = this.leg;
    this.#callbacks = new StatusCallbacks(undefined, {
      callSid: sid,
      ticker: switchboard.ticker,
      faults,
      requests: new Requests(switchboard, sid, false),
      onRefused: (what) => this.leg.timeline.complain(15003, what),
    });
    const { accountSid } = account;
    const { to, from = CALLER } = options;
    const nowMs = switchboard.ticker.clock.wallMs();
    this.record = new CallRecord(
      { sid, accountSid, to, from, direction: "inbound", phoneNumberSid: number.sid },
      "ringing",
      nowMs,
    );
    this.record.startedMs = nowMs;
    void this.leg.answered.then(() => this.#answered(account));
    this.concluded = this.leg.ended.then(({ status }) => this.#over(status, number));
    const obstacle = obstacleOf(account, number, options);
    if (obstacle !== undefined) this.leg.refuse("failed", obstacle);
  }

  hangUp(): void {
    const isAnswered = this.record.status === "in-progress";
    this.record.become(isAnswered ? "completed" : "canceled", this.#wallMs());
    void this.leg.finish();
  }

  redirect(redirection: Redirection): void {
    this.leg.redirect(redirection);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callbacks.close();
    await this.leg.abandon();
    await this.concluded;
  }

  #answered(account: TwinAccount): void {
    if (!this.record.isLive) return;
    this.record.become("in-progress", this.#wallMs());
    if (account.trial === undefined) return;
    const stop = after(this.#switchboard.ticker, TRIAL_CALL_MAX_MS, () => {
      const { text } = this.leg.timeline.complain(13805);
      void this.leg.finish(text);
    });
    void this.leg.ended.then(stop);
  }

  async #over(status: CallStatus, { settings }: OwnedNumber): Promise<void> {
    if (this.record.isLive) this.record.become(status, this.#wallMs());
    const { StatusCallback: url, StatusCallbackMethod: method } = settings;
    if (url !== "" && !this.#isClosed) {
      this.#callbacks.retarget({ url, method, events: new Set(["completed"]) });
      const length = lengthParams(this.record.talkedMs(this.#wallMs()));
      this.#callbacks.send("completed", { ...this.leg.params, CallStatus: this.record.status, ...length });
    }
    await this.#callbacks.settled();
    await this.leg.settled();
  }

  #wallMs(): number {
    return this.#switchboard.ticker.clock.wallMs();
  }
}

/** Why the call never reaches the number's VoiceUrl. */
function obstacleOf(
  account: TwinAccount,
  { settings }: OwnedNumber,
  options: DialOptions,
): string | undefined {
  if (account.status !== "active") return `the account is ${account.status}`;
  if (settings.TrunkSid !== "") return `the trunk ${settings.TrunkSid} gets the number's calls`;
  if (settings.VoiceApplicationSid !== "") {
    return `the application ${settings.VoiceApplicationSid} gets the number's calls`;
  }
  if (settings.VoiceUrl === "" && options.voiceUrl === undefined) return "the number has no VoiceUrl";
  return undefined;
}
