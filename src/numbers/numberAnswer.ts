// A number as the API shows it. Written in the store's thread too, where there are thousands to list: imports little.
import { moment } from "../domain/moment.ts";
import type { StoredNumber } from "./numbers.store.ts";
import { isWanted } from "./sync/settle.ts";
import type { NumberSync, Places } from "./sync/syncState.ts";
import { syncWords } from "./sync/syncWords.ts";

/** `places`: what the number should have at Twilio. */
export function numberAnswer(number: StoredNumber, places: Places) {
  return {
    id: number.id as number,
    telephony_configuration_id: number.configurationId as number,
    address: number.typed,
    address_normalized: number.address,
    address_type: number.type,
    country_code: number.countryCode ?? null,
    label: number.label ?? null,
    inbound_workflow_id: (number.inboundWorkflowId as number | undefined) ?? null,
    inbound_workflow_name: number.inboundWorkflowName ?? null,
    is_active: number.isActive,
    is_default_caller_id: number.isDefaultCallerId,
    extra_metadata: number.extraMetadata,
    created_at: moment(number.createdAtMs),
    updated_at: moment(number.updatedAtMs),
    warnings: warningsOf(number),
    provider_sync: syncAnswer(number, number.sync, places),
  };
}

function warningsOf(number: StoredNumber): string[] {
  const { address, warning, isActive, inboundWorkflowName, isInboundWorkflowArchived } = number;
  const warnings = warning === undefined ? [] : [warning];
  if (isActive && isInboundWorkflowArchived) {
    const words = `Calls to ${address} are refused, since its workflow '${inboundWorkflowName}' is archived:`;
    warnings.push(`${words} make that active again, or give the number another one.`);
  }
  return warnings;
}

/** How a number stands with Twilio; what is the matter and what to do stand together in `message`. */
export function syncAnswer(
  number: Pick<StoredNumber, "address" | "type" | "isActive" | "inboundWorkflowId">,
  sync: NumberSync,
  places: Places,
) {
  const { address, type } = number;
  const { sentence, remedy } = syncWords({ address, isWanted: isWanted(number), places }, sync);
  const checkedAtMs = "checkedAtMs" in sync ? sync.checkedAtMs : undefined;
  return {
    ok: sync.state === "none" || sync.state === "in_sync",
    message: sentence === undefined ? null : `${sentence} ${remedy}`,
    state: sync.state,
    remedy: remedy ?? null,
    checked_at: checkedAtMs === undefined ? null : moment(checkedAtMs),
    voice_url: type === "pstn" ? places.voiceUrl : null,
  };
}
