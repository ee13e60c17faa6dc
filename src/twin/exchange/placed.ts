// A call placed by REST: waits its turn, is dialled, rings at a person, and is conducted once that person has picked
// up. Tells the status callbacks how it goes.
import { TwinCall } from "../call.ts";
import type { Stop } from "../clock.ts";
import type { Redirection } from "../dial.ts";
import { type CallStatus, lengthParams } from "../params.ts";
import { Requests, type Switchboard } from "../switchboard.ts";
import type { HttpMethod } from "../twiml.ts";
import { WebhookError } from "../webhook.ts";
import type { TwinAccount } from "./account.ts";
import { after } from "./agenda.ts";
import { type CallbackTarget, StatusCallbacks } from "./callbacks.ts";
import type { Faults } from "./faults.ts";
import type { LiveCall } from "./liveCall.ts";
import { type Person, type Talking, talk } from "./people.ts";
import { CallRecord } from "./record.ts";

/** What a trial account's calls may last (13805). */
export const TRIAL_CALL_MAX_MS = 600_000;
/** How long a trial's notice waits for a key. */
const KEY_WAIT_MS = 10_000;
const PICK_UP_AFTER_MS = 500;
const HUMAN_DETECTION_MS = 500;
const MACHINE_DETECTION_MS = 1_500;

/** A POST of Calls.json that was accepted. */
export interface Order {
  readonly to: string;
  readonly from: string;
  /** Of the account's own number it comes from. */
  readonly phoneNumberSid: string | null;
  /** Where the TwiML is, or the TwiML itself. */
  readonly url?: string;
  readonly method: HttpMethod;
  readonly twiml?: string;
  readonly fallbackUrl?: string;
  readonly fallbackMethod: HttpMethod;
  readonly callbacks: CallbackTarget | undefined;
  readonly timeoutMs: number;
  readonly timeLimitMs: number;
  readonly detection: Detection | undefined;
}

/** Whether a machine has answered: before the TwiML is asked for, or meanwhile, told to an address. */
export interface Detection {
  readonly waitsForEnd: boolean;
  readonly tell: "twiml" | { readonly url: string; readonly method: HttpMethod } | undefined;
}

export interface PlacedSurroundings {
  readonly account: TwinAccount;
  readonly switchboard: Switchboard;
  readonly faults: Faults;
  readonly person: Person;
  /** From being dialled to ringing. */
  readonly dialMs: number;
  /** On top of the order's timeout, as at Twilio. */
  readonly timeoutBufferMs: number;
}

/** How a call that nobody answered ended. */
interface Unanswered {
  readonly sipResponseCode: number;
  readonly errorCode?: number;
  readonly errorMessage?: string;
}

export class PlacedCall implements LiveCall {
  readonly record: CallRecord;
  readonly leg: TwinCall;
  readonly order: Order;
  readonly concluded: Promise<void>;
  readonly #around: PlacedSurroundings;
  readonly #callbacks: StatusCallbacks;
  readonly #requests: Requests;
  readonly #pending = new Set<Stop>();
  #isQueued = true;
  #isClosed = false;
  #unanswered: Unanswered | undefined;

  /** Dials after `queuedForMs`. */
  constructor(order: Order, queuedForMs: number, around: PlacedSurroundings) {
    const { account, switchboard, faults } = around;
    this.order = order;
    this.#around = around;
    const { to, from, url, twiml, method, fallbackUrl, fallbackMethod, phoneNumberSid } = order;
    this.leg = new TwinCall(
      switchboard,
      {
        to,
        from,
        voiceUrl: url ?? "",
        voiceMethod: method,
        ...(url === undefined && twiml !== undefined && { twiml }),
        ...(fallbackUrl !== undefined && {
          voiceFallbackUrl: fallbackUrl,
          voiceFallbackMethod: fallbackMethod,
        }),
      },
      "outbound-api",
    );
    const { sid } = this.leg;
    const { accountSid } = account;
    this.record = new CallRecord(
      { sid, accountSid, to, from, direction: "outbound-api", phoneNumberSid },
      "queued",
      this.#wallMs(),
    );
    this.record.queuedForMs = queuedForMs;
    this.#requests = new Requests(switchboard, sid);
    this.#callbacks = new StatusCallbacks(order.callbacks, {
      callSid: sid,
      ticker: switchboard.ticker,
      faults,
      requests: new Requests(switchboard, sid, false),
      onRefused: (what) => this.leg.timeline.complain(15003, what),
    });
    this.concluded = this.leg.ended.then(({ status }) => this.#over(status));
    this.#later(queuedForMs, () => this.#dial());
  }

  get isQueued(): boolean {
    return this.#isQueued;
  }

  /** Someone picks up, whatever the person at the number does. */
  pickUp(): void {
    if (this.record.status !== "ringing") throw new Error(`the call is ${this.record.status}, not ringing`);
    this.#pickedUp();
  }

  hangUp(): void {
    const isAnswered = this.record.answeredMs !== undefined;
    if (!isAnswered) this.#unanswered = { sipResponseCode: 487 };
    this.record.become(isAnswered ? "completed" : "canceled", this.#wallMs());
    void this.leg.finish();
  }

  redirect(redirection: Redirection): void {
    this.leg.redirect(redirection);
  }

  /** Callbacks go elsewhere from now on. */
  retarget(callbacks: CallbackTarget): void {
    this.#callbacks.retarget(callbacks);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callbacks.close();
    await this.leg.abandon();
    await this.concluded;
  }

  #dial(): void {
    const { person, dialMs } = this.#around;
    this.#isQueued = false;
    this.record.startedMs = this.#wallMs();
    this.#callbacks.send("initiated", { ...this.leg.params, CallStatus: "initiated" });
    if (person.does !== "unreachable") {
      this.#later(dialMs, () => this.#ring());
      return;
    }
    const { afterMs = 0, sipResponseCode = 404, errorCode, errorMessage } = person;
    const error = { ...(errorCode && { errorCode }), ...(errorMessage && { errorMessage }) };
    this.#later(dialMs + afterMs, () => this.#refuse("failed", { sipResponseCode, ...error }));
  }

  #ring(): void {
    const { person, timeoutBufferMs } = this.#around;
    this.record.become("ringing", this.#wallMs());
    this.#callbacks.send("ringing", { ...this.leg.params, CallStatus: "ringing" });
    this.#later(this.order.timeoutMs + timeoutBufferMs, () =>
      this.#refuse("no-answer", { sipResponseCode: 487 }),
    );
    switch (person.does) {
      case "busy":
        this.#later(person.afterMs ?? 0, () => this.#refuse("busy", { sipResponseCode: 486 }));
        break;
      case "nobody":
        if (person.afterMs !== undefined)
          this.#later(person.afterMs, () => this.#refuse("no-answer", { sipResponseCode: 480 }));
        break;
      case "answers":
      case "machine":
        this.#later(person.afterMs ?? PICK_UP_AFTER_MS, () => this.#pickedUp());
    }
  }

  #refuse(status: CallStatus, unanswered: Unanswered): void {
    if (this.record.answeredMs !== undefined) return;
    this.#unanswered = unanswered;
    this.leg.refuse(status, unanswered.errorMessage ?? `${status} (SIP ${unanswered.sipResponseCode})`);
  }

  #pickedUp(): void {
    if (this.record.status !== "ringing") return;
    const { account } = this.#around;
    this.record.become("in-progress", this.#wallMs());
    this.leg.pickUp();
    this.#callbacks.send("answered", { ...this.leg.params, CallStatus: "in-progress" });
    this.#later(this.order.timeLimitMs, () => void this.leg.finish("the call's time limit was reached"));
    if (account.trial === undefined) {
      void this.#converse();
      return;
    }
    this.#later(TRIAL_CALL_MAX_MS, () => void this.leg.finish(this.leg.timeline.complain(13805).text));
    this.#hearNotice(account.trial);
  }

  /** A trial's notice is read; the TwiML comes once a key was pressed. */
  #hearNotice({ notice, noticeMs }: { notice: boolean; noticeMs: number }): void {
    const { person } = this.#around;
    if (!notice) void this.#converse();
    else if (person.does === "answers" && (person.pressesKey ?? true))
      this.#later(noticeMs, () => void this.#converse());
    else
      this.#later(
        noticeMs + KEY_WAIT_MS,
        () => void this.leg.finish("no key was pressed after the trial's notice"),
      );
  }

  async #converse(): Promise<void> {
    const { person, switchboard } = this.#around;
    const talking: Talking = person.does === "answers" || person.does === "machine" ? person : {};
    this.leg.onStream = (stream) => talk(stream, talking, switchboard.ticker, () => void this.leg.hangUp());
    if (talking.hangUpAfterMs !== undefined) this.#later(talking.hangUpAfterMs, () => void this.leg.hangUp());
    const { detection } = this.order;
    if (detection?.tell === "twiml") {
      const { ms, answeredBy } = this.#detected(detection);
      this.#later(ms, () => void this.#obey({ AnsweredBy: this.#foundOut(answeredBy) }));
      return;
    }
    if (detection !== undefined) this.#detectMeanwhile(detection);
    await this.#obey({});
  }

  async #obey(params: Readonly<Record<string, string>>): Promise<void> {
    await this.leg.ring(params);
    this.leg.answer();
  }

  #detected({ waitsForEnd }: Detection): { ms: number; answeredBy: string } {
    const { person } = this.#around;
    if (person.does !== "machine") return { ms: HUMAN_DETECTION_MS, answeredBy: "human" };
    const answeredBy = person.answeredBy ?? (waitsForEnd ? "machine_end_beep" : "machine_start");
    return { ms: person.detectionMs ?? MACHINE_DETECTION_MS, answeredBy };
  }

  #foundOut(answeredBy: string): string {
    this.record.answeredBy = answeredBy;
    return answeredBy;
  }

  #detectMeanwhile(detection: Detection): void {
    const { ms, answeredBy } = this.#detected(detection);
    this.#later(ms, () => {
      const { accountSid: AccountSid, sid: CallSid } = this.record.facts;
      const facts = { AccountSid, CallSid, AnsweredBy: this.#foundOut(answeredBy) };
      if (typeof detection.tell !== "object") return;
      const params = { ...facts, MachineDetectionDuration: String(Math.round(ms)) };
      this.#requests.send(detection.tell.url, detection.tell.method, params).catch((error: unknown) => {
        if (!(error instanceof WebhookError)) throw error;
        this.leg.timeline.complain(15003, `AnsweredBy: ${error.message}`);
      });
    });
  }

  async #over(ended: CallStatus): Promise<void> {
    for (const stop of this.#pending) stop();
    const status = this.record.answeredMs === undefined ? ended : "completed";
    if (this.record.isLive) this.record.become(status, this.#wallMs());
    if (!this.#isQueued && !this.#isClosed) this.#callbacks.send("completed", this.#terminal(status));
    await this.#callbacks.settled();
    await this.#requests.settled();
    await this.leg.settled();
  }

  #terminal(status: CallStatus): Record<string, string> {
    const { sipResponseCode = 200, errorCode, errorMessage } = this.#unanswered ?? {};
    const { Duration, CallDuration } = lengthParams(this.record.talkedMs(this.#wallMs()));
    const { answeredBy } = this.record;
    return {
      ...this.leg.params,
      CallStatus: status,
      ...(status === "completed" && { Duration }),
      CallDuration,
      SipResponseCode: String(sipResponseCode),
      ...(answeredBy !== null && { AnsweredBy: answeredBy }),
      ...(errorCode !== undefined && { ErrorCode: String(errorCode) }),
      ...(errorMessage !== undefined && { ErrorMessage: errorMessage }),
    };
  }

  /** Does something later, unless the call is over by then. */
  #later(delayMs: number, run: () => void): void {
    if (!Number.isFinite(delayMs) || this.leg.end !== undefined) return;
    const stop = after(this.#around.switchboard.ticker, delayMs, () => {
      this.#pending.delete(stop);
      run();
    });
    this.#pending.add(stop);
  }

  #wallMs(): number {
    return this.#around.switchboard.ticker.clock.wallMs();
  }
}
