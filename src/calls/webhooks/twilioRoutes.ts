// The routes Twilio calls.
import type { Route } from "../../http/http.ts";
import { inboundRule } from "./inboundRules.ts";
import { answerRule, machineRule, type OutboundRuleParts } from "./outboundRules.ts";
import {
  afterStreamRule,
  fallbackRule,
  numberStatusRule,
  runStatusRule,
  streamStatusRule,
} from "./statusRules.ts";
import { type Rule, twilioDoor } from "./twilioDoor.ts";
import { TWILIO_PATHS } from "./twilioPaths.ts";

export type TwilioRouteParts = OutboundRuleParts;

export function twilioRoutes(parts: TwilioRouteParts): readonly Route[] {
  const signed = twilioDoor(parts);
  const post = (path: string, rule: Rule): Route => ({ method: "POST", path, handle: signed(rule) });
  return [
    post(TWILIO_PATHS.inbound, inboundRule(parts)),
    post(TWILIO_PATHS.fallback, fallbackRule(parts)),
    post(TWILIO_PATHS.answer, answerRule(parts)),
    post(TWILIO_PATHS.machineDetection, machineRule(parts)),
    post(TWILIO_PATHS.runStatus, runStatusRule(parts)),
    post(TWILIO_PATHS.numberStatus, numberStatusRule(parts)),
    post(TWILIO_PATHS.streamEnded, afterStreamRule(parts)),
    post(TWILIO_PATHS.streamStatus, streamStatusRule(parts)),
  ];
}
