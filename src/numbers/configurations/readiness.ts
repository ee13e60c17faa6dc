// Whether a configuration can place calls, and what is still to be done with it: for the console and its checklist.

import type { WorkflowId } from "../../domain/ids.ts";
import type { PhoneNumber } from "../directory.ts";
import type { CredentialsCheck } from "./configurations.store.ts";

export interface Readiness {
  readonly isReady: boolean;
  /** Undefined when it is ready. */
  readonly blockedReason: string | undefined;
  /** Of all kinds. */
  readonly activeNumbers: number;
}

/** A call needs a caller ID, and only a telephone number can be one. */
export function outboundReadiness(numbers: Iterable<PhoneNumber>): Readiness {
  let activeNumbers = 0;
  let isReady = false;
  for (const { isActive, type } of numbers) {
    if (!isActive) continue;
    activeNumbers++;
    isReady ||= type === "pstn";
  }
  const blockedReason = isReady
    ? undefined
    : "It has no active phone number to call from: add one, or switch one on.";
  return { isReady, blockedReason, activeNumbers };
}

/** `numbers` are the configuration's; `answers` tells whether a workflow takes calls. */
export function setupChecklist(
  numbers: Iterable<PhoneNumber>,
  check: CredentialsCheck,
  answers: (workflow: WorkflowId) => boolean,
) {
  const known = [...numbers];
  const { isReady, blockedReason } = outboundReadiness(known);
  return {
    ready_for_outbound: isReady,
    outbound_blocked_reason: blockedReason ?? null,
    steps: [
      {
        key: "credentials",
        title: "Have Twilio accept the credentials",
        description: check.message ?? "They are tried whenever they are saved.",
        complete: check.state === "valid",
        blocks_outbound: false, // Twilio may accept by now what it didn't when it was last asked
      },
      {
        key: "phone_number",
        title: "Add a phone number to call from",
        description: "Outbound calls show one of the configuration's active numbers as their caller ID.",
        complete: isReady,
        blocks_outbound: true,
      },
      {
        key: "inbound_workflow",
        title: "Let a workflow answer a number",
        description: "Calls to a number without a workflow, or with one that is archived, are refused.",
        complete: known.some(
          ({ isActive, inboundWorkflowId }) =>
            isActive && inboundWorkflowId !== undefined && answers(inboundWorkflowId),
        ),
        blocks_outbound: false,
      },
    ],
    docs_url: CONSOLE_URL,
  };
}

/** Where accounts and numbers are found. */
export const CONSOLE_URL = "https://console.twilio.com/";
