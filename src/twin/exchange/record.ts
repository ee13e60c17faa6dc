// One call's resource: what Twilio knows of it and shows by REST.
import type { CallStatus, Direction } from "../params.ts";
import { rfc2822 } from "../params.ts";

export interface RecordFacts {
  readonly sid: string;
  readonly accountSid: string;
  readonly to: string;
  readonly from: string;
  readonly direction: Direction;
  /** Of the account's own number in it. */
  readonly phoneNumberSid: string | null;
}

const LIVE: readonly CallStatus[] = ["queued", "ringing", "in-progress"];
const SUBRESOURCES = [
  ["notifications", "Notifications"],
  ["recordings", "Recordings"],
  ["payments", "Payments"],
  ["events", "Events"],
  ["siprec", "Siprec"],
  ["streams", "Streams"],
  ["transcriptions", "Transcriptions"],
  ["user_defined_message_subscriptions", "UserDefinedMessageSubscriptions"],
  ["user_defined_messages", "UserDefinedMessages"],
] as const;

/** Times are of the wall clock, in milliseconds. */
export class CallRecord {
  readonly facts: RecordFacts;
  readonly createdMs: number;
  status: CallStatus;
  updatedMs: number;
  /** When it was dialled, answered, over. */
  startedMs: number | undefined;
  answeredMs: number | undefined;
  endedMs: number | undefined;
  answeredBy: string | null = null;
  queuedForMs = 0;

  constructor(facts: RecordFacts, status: CallStatus, nowMs: number) {
    this.facts = facts;
    this.status = status;
    this.createdMs = this.updatedMs = nowMs;
  }

  get isLive(): boolean {
    return LIVE.includes(this.status);
  }

  /** How long it has been talked, or was. */
  talkedMs(nowMs: number): number {
    return this.answeredMs === undefined ? 0 : (this.endedMs ?? nowMs) - this.answeredMs;
  }

  become(status: CallStatus, nowMs: number): void {
    this.status = status;
    this.updatedMs = nowMs;
    if (status === "in-progress") this.answeredMs = nowMs;
    if (!this.isLive) this.endedMs = nowMs;
  }

  /** The resource, as the contract has it. */
  json(): object {
    const { sid, accountSid, to, from, direction, phoneNumberSid } = this.facts;
    const uri = `/2010-04-01/Accounts/${accountSid}/Calls/${sid}`;
    return {
      sid,
      date_created: rfc2822(this.createdMs),
      date_updated: rfc2822(this.updatedMs),
      parent_call_sid: null,
      account_sid: accountSid,
      to,
      to_formatted: formatted(to),
      from,
      from_formatted: formatted(from),
      phone_number_sid: phoneNumberSid,
      status: this.status,
      start_time: this.startedMs === undefined ? null : rfc2822(this.startedMs),
      end_time: this.endedMs === undefined ? null : rfc2822(this.endedMs),
      duration: this.endedMs === undefined ? null : String(Math.ceil(this.talkedMs(this.endedMs) / 1_000)),
      price: null,
      price_unit: "USD",
      direction,
      answered_by: this.answeredBy,
      api_version: "2010-04-01",
      forwarded_from: null,
      group_sid: null,
      caller_name: null,
      queue_time: String(Math.round(this.queuedForMs)),
      trunk_sid: null,
      uri: `${uri}.json`,
      subresource_uris: Object.fromEntries(SUBRESOURCES.map(([name, path]) => [name, `${uri}/${path}.json`])),
    };
  }
}

/** North American numbers the way they are written there. */
function formatted(number: string): string {
  return number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "($1) $2-$3");
}
