// A call's life as data and one pure function. Deadlines are part of the state; the shell that owns the socket,
// the task and the record is liveCall.ts.
import type { EndReason } from "../../domain/endings.ts";
import { assertNever } from "../../domain/errors.ts";
import type { StreamSid } from "../../domain/ids.ts";

/** A reserved slot and its stream token live this long. One constant: a token never outlives its slot. */
export const RESERVATION_MS = 30_000;
/** From an accepted upgrade to an accepted start. */
export const START_DEADLINE_MS = 5_000;
/** A stop read by the worker may still be on its way when its socket closes: so long its verdict is awaited. */
export const VERDICT_MS = 1_000;

export type CallState =
  | { readonly name: "expected"; readonly untilMs: number } //   answered with TwiML; the stream has not come
  | { readonly name: "connecting"; readonly untilMs: number } // socket open, no accepted start yet
  | { readonly name: "live"; readonly streamSid: StreamSid }
  | { readonly name: "closing"; readonly untilMs: number } //    socket gone, the worker's verdict awaited
  | { readonly name: "ended"; readonly reason: EndReason };

export type CallEvent =
  | { readonly type: "upgraded" }
  | { readonly type: "started"; readonly streamSid: StreamSid }
  | { readonly type: "contract_broken" } //                      by the socket
  | { readonly type: "socket_closed" }
  | { readonly type: "stream_silent" } //                        half-open: no media and no pong, or nobody reads
  | { readonly type: "task_ended"; readonly reason: EndReason }
  | { readonly type: "caller_left" } //                          a terminal status of the call itself
  | { readonly type: "operator_hung_up" } //                     by the API
  | { readonly type: "stream_over" } //                          Twilio asks what comes after the stream
  | { readonly type: "drain_over" }
  | { readonly type: "time" };

export function expected(nowMs: number): CallState {
  return { name: "expected", untilMs: nowMs + RESERVATION_MS };
}

/** Pure. An event that means nothing in this state leaves it unchanged; an ended call stays as it ended. */
export function next(state: CallState, event: CallEvent, nowMs: number): CallState {
  if (state.name === "ended") return state;
  switch (event.type) {
    case "upgraded":
      return state.name === "expected" ? { name: "connecting", untilMs: nowMs + START_DEADLINE_MS } : state;
    case "started":
      return state.name === "connecting" ? { name: "live", streamSid: event.streamSid } : state;
    case "contract_broken":
      if (state.name === "connecting") return ended("no_stream");
      return state.name === "live" ? ended("protocol_error") : state;
    case "socket_closed":
      if (state.name === "connecting") return ended("no_stream");
      return state.name === "live" ? { name: "closing", untilMs: nowMs + VERDICT_MS } : state;
    case "stream_silent":
      return state.name === "live" ? ended("media_lost") : state;
    case "task_ended":
      return ended(event.reason);
    case "caller_left":
      return ended("caller_hung_up");
    case "operator_hung_up":
      return ended("operator_hung_up");
    case "stream_over":
      return ended("media_lost");
    case "drain_over":
      return ended("drained");
    case "time":
      if (state.name === "live" || nowMs < state.untilMs) return state;
      return ended(state.name === "closing" ? "media_lost" : "no_stream");
    default:
      return assertNever(event);
  }
}

function ended(reason: EndReason): CallState {
  return { name: "ended", reason };
}
