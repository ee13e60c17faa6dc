// The names of things. Branded, so that a stream can't be passed for a call.

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** Twilio's id of a phone call: `CA` and 32 hex digits. */
export type CallSid = Id<"CallSid">;
/** Twilio's id of one media stream of a call: `MZ` and 32 hex digits. */
export type StreamSid = Id<"StreamSid">;
/** Twilio's id of an account: `AC` and 32 hex digits. */
export type AccountSid = Id<"AccountSid">;

/** Our number of one call record ("workflow run" in the API). Counts up from 1. */
export type RunId = number & { readonly [brand]: "RunId" };
/** Number of a stored Twilio configuration. */
export type ConfigurationId = number & { readonly [brand]: "ConfigurationId" };
/** Number of a stored phone number. */
export type NumberId = number & { readonly [brand]: "NumberId" };
/** Number of a stored workflow. */
export type WorkflowId = number & { readonly [brand]: "WorkflowId" };
/** Number of one version of a workflow: over all workflows, as the API counts them. */
export type DefinitionId = number & { readonly [brand]: "DefinitionId" };
/** Number of a stored API key. */
export type ApiKeyId = number & { readonly [brand]: "ApiKeyId" };

/** Brands a value whose shape its reader has checked, or that a store has handed out. */
export const CallSid = (text: string): CallSid => text as CallSid;
export const StreamSid = (text: string): StreamSid => text as StreamSid;
export const AccountSid = (text: string): AccountSid => text as AccountSid;
export const RunId = (value: number): RunId => value as RunId;
export const ConfigurationId = (value: number): ConfigurationId => value as ConfigurationId;
export const NumberId = (value: number): NumberId => value as NumberId;
export const WorkflowId = (value: number): WorkflowId => value as WorkflowId;
export const DefinitionId = (value: number): DefinitionId => value as DefinitionId;
export const ApiKeyId = (value: number): ApiKeyId => value as ApiKeyId;
