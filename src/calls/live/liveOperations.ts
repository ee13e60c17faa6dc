// The API's operations on calls that are under way: which there are, and an end to one of them.
import { z } from "zod";
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import { RunId } from "../../domain/ids.ts";
import { idSchema, moment, momentSchema, type Operation, operation } from "../../http/operation.ts";
import type { Directory } from "../../numbers/directory.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";
import type { Dialer } from "../outbound/dialer.ts";
import type { LiveCall } from "./liveCall.ts";
import type { LiveCalls } from "./liveCalls.ts";

export interface LiveOperationParts {
  readonly calls: LiveCalls;
  readonly dialer: Dialer;
  readonly records: CallRecords;
  readonly directory: Directory;
  readonly clock: Clock;
}

/** How far a call is: before it is answered as in its record, then `connecting`, `talking` and `ending`. */
const STATES = [
  "queued",
  "submitting",
  "placed",
  "ringing",
  "answered",
  "connecting",
  "talking",
  "ending",
] as const;
const liveCallSchema = z
  .object({
    workflow_run_id: z.int(),
    workflow_run_name: z.string(),
    call_sid: z.string().nullable(),
    direction: z.enum(["inbound", "outbound"]),
    caller_number: z.string(),
    called_number: z.string(),
    workflow_id: z.int().nullable(),
    workflow_name: z.string().nullable(),
    state: z.enum(STATES),
    since: momentSchema.describe("When the call was first heard of."),
    talked_ms: z.int().min(0),
  })
  .meta({ id: "LiveCall" });
const liveCallsSchema = z
  .object({ calls: z.array(liveCallSchema), total: z.int().min(0) })
  .meta({ id: "LiveCalls" });
const hungUpSchema = z
  .object({ message: z.string(), workflow_run_id: z.int(), call_sid: z.string().nullable() })
  .meta({ id: "HungUpCall" });
const tag = "Live calls";

export function liveOperations(parts: LiveOperationParts): readonly Operation[] {
  const { calls, dialer, records, directory, clock } = parts;

  function seen(record: CallRecord, call: LiveCall | undefined): z.input<typeof liveCallSchema> {
    const { run, name, callSid, direction, from, to, workflowId = null, receivedAtMs } = record;
    const workflow = workflowId === null ? undefined : directory.workflow(workflowId);
    return {
      workflow_run_id: run,
      workflow_run_name: name,
      call_sid: callSid ?? null,
      direction,
      caller_number: from,
      called_number: to,
      workflow_id: workflowId,
      workflow_name: workflow?.name ?? null,
      state: stateOf(record, call),
      since: moment(receivedAtMs),
      talked_ms: Math.round(call?.talkedMs ?? 0),
    };
  }

  return [
    operation({
      method: "GET",
      path: "/api/v1/calls/live",
      tag,
      summary: "Lists the calls that are under way, those that wait or ring included.",
      answer: liveCallsSchema,
      run: () => {
        const talked = calls.all().filter(({ state }) => state.name !== "ended");
        const listed = [
          ...talked.map((call) => [records.get(call.run), call] as const),
          ...dialer.runs().map((run) => [records.get(run), undefined] as const),
        ].flatMap(([record, call]) => (record === undefined ? [] : [seen(record, call)]));
        listed.sort((one, other) => one.workflow_run_id - other.workflow_run_id);
        return { calls: listed, total: listed.length };
      },
    }),
    operation({
      method: "POST",
      path: "/api/v1/calls/live/{run}/hangup",
      tag,
      summary: "Ends a call: one that is talked on, rings, or waits to be placed.",
      params: z.object({ run: idSchema }),
      answer: hungUpSchema,
      errors: [404, 409, 502, 503],
      run: async ({ params }) => {
        const run = RunId(params.run);
        const call = calls.find(run);
        const record = records.get(run) ?? (await records.recall(run));
        if (record === undefined) throw new GatewayError("NOT_FOUND", "There is no such call");
        if (record.outcome !== undefined) throw new GatewayError("CONFLICT", "This call is over already");
        if (record.state === "created") {
          throw new GatewayError("CONFLICT", "This run has no call yet: it was made and not dialled");
        }
        if (call !== undefined) {
          records.append(run, { atMs: clock.wallMs(), kind: "hang_up_asked" });
          // Its stream closes, and at the action that Twilio then asks for the call is hung up.
          call.apply({ type: "operator_hung_up" });
        } else await dialer.hangUp(run);
        const isKnown = record.callSid !== undefined || record.outcome !== undefined;
        const message = isKnown
          ? "The call is ended."
          : "The call is ended as soon as Twilio has said which one it is, should it have been placed.";
        return { message, workflow_run_id: run, call_sid: record.callSid ?? null };
      },
    }),
  ];
}

function stateOf({ state }: CallRecord, call: LiveCall | undefined): (typeof STATES)[number] {
  switch (call?.state.name) {
    case undefined:
      return STATES.find((known) => known === state) ?? "ending";
    case "expected":
    case "connecting":
      return "connecting";
    case "live":
      return "talking";
    default:
      return "ending";
  }
}
