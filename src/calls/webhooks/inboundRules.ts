// What Twilio is told when someone calls one of our numbers: who answers, or why nobody does. May be asked twice.
import type { Refusal } from "../../domain/endings.ts";
import type { RunId } from "../../domain/ids.ts";
import { readAddress } from "../../numbers/address.ts";
import type { Directory, Route as NumberRoute } from "../../numbers/directory.ts";
import { connectStream } from "../../twilio/twiml.ts";
import { isTerminal, type VoiceWebhook } from "../../twilio/voiceWebhook.ts";
import type { LiveCalls } from "../live/liveCalls.ts";
import { closeRecord } from "../log/ending.ts";
import type { CallFacts } from "../log/records.ts";
import { answerAfter, refuse, sayGoodbye, type TwimlAnswer } from "./farewell.ts";
import type { DoorParts, Rule } from "./twilioDoor.ts";
import { runUrl } from "./twilioPaths.ts";

export interface InboundParts extends DoorParts {
  readonly calls: LiveCalls;
  readonly directory: Directory;
}

export function inboundRule(parts: InboundParts): Rule {
  const { calls, records, directory, clock } = parts;
  const connect = connectTwiml(parts.publicBase);

  function refuseCall(run: RunId, refusal: Refusal): TwimlAnswer {
    closeRecord(parts, run, { outcome: refusal });
    return refuse(refusal);
  }

  return ({ webhook }) => {
    const { callSid, accountSid, callStatus, direction, toNumber } = webhook;
    const known = calls.find(callSid);
    if (isTerminal(callStatus)) {
      known?.apply({ type: "caller_left" });
      return { answer: "noted" };
    }
    if (direction !== "inbound") return sayGoodbye("hang_up");
    if (known !== undefined && known.state.name !== "ended") return { twiml: known.twiml, answer: "repeat" };
    const { outcome, isApologized } = records.find(callSid) ?? {};
    if (outcome !== undefined) return answerAfter({ outcome, direction, isApologized });

    // A record more would be one more that can't be written.
    if (calls.refusal() === "log_full") return refuse("log_full");
    const route = directory.route(accountSid, toNumber ?? sipAddressIn(webhook.to));
    const atMs = clock.wallMs();
    const run = records.open(factsOf(webhook, route), atMs);
    records.append(run, { atMs, kind: "received" });
    if ("refusal" in route) return refuseCall(run, route.refusal);
    const refusal = calls.refusal();
    if (refusal !== undefined) return refuseCall(run, refusal);
    const { from, to } = webhook;
    const live = calls.admit(
      { run, callSid, accountSid, direction, from, to },
      { ...route.brief, parameters: {} },
      connect,
    );
    return { twiml: live.twiml, answer: "connect" };
  };
}

/** The TwiML of a call that is talked on. */
export function connectTwiml(publicBase: () => string): (run: RunId, streamUrl: string) => string {
  return (run, streamUrl) =>
    connectStream({
      streamUrl,
      statusCallbackUrl: runUrl(publicBase(), "streamStatus", run),
      actionUrl: runUrl(publicBase(), "streamEnded", run),
    });
}

function factsOf(webhook: VoiceWebhook, route: NumberRoute): CallFacts {
  const { callSid, accountSid, from, to, stirVerstat, forwardedFrom, callerName } = webhook;
  const workflow = "brief" in route ? route.brief.workflow : undefined;
  return {
    callSid,
    accountSid,
    direction: "inbound",
    from,
    to,
    configurationId: route.configurationId,
    numberId: route.numberId,
    workflowId: workflow?.id,
    workflowVersion: workflow?.version,
    definitionId: "definitionId" in route ? route.definitionId : undefined,
    stirVerstat,
    forwardedFrom,
    callerName,
  };
}

/** The SIP address that was dialled, in the form it is stored and compared in. */
function sipAddressIn(address: string): string | undefined {
  if (!/^sips?:/i.test(address)) return undefined;
  const read = readAddress(address);
  return "ok" in read ? read.ok.normalized : undefined;
}
