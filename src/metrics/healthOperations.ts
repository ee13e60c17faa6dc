// What orchestrators and autoscalers ask over the API: that it is up, how many calls it has, how its thread keeps up.
import { z } from "zod";
import { type Operation, operation } from "../http/operation.ts";
import type { Lag } from "./loopLag.ts";

/** What health is told from. All of it is in memory. */
export interface HealthSources {
  readonly version: string;
  publicBase(): string;
  callsLive(): number;
  isDraining(): boolean;
  loopLag(): Lag;
}

/** More calls than that nobody keeps room for. */
const BUFFER_MAX = 1_000_000;

const healthSchema = z
  .object({
    status: z.enum(["ok", "draining"]),
    version: z.string(),
    backend_api_endpoint: z.string().describe("Where Twilio reaches it."),
    tunnel_url: z.null(),
    deployment_mode: z.literal("oss"),
    auth_provider: z.literal("api_key"),
    turn_enabled: z.literal(false),
    force_turn_relay: z.literal(false),
    signup_enabled: z.literal(false),
    stack_project_id: z.null(),
    stack_publishable_client_key: z.null(),
  })
  .meta({ id: "Health" });

const activeCallsSchema = z
  .object({
    active_calls: z.int().min(0),
    loop_lag_p95_ms: z.number().min(0).describe("Over the last minute."),
    loop_lag_max_ms: z.number().min(0).describe("Over the last minute."),
  })
  .meta({ id: "ActiveCalls" });

const metricSchema = z.object({ value: z.int().min(0) }).meta({ id: "AutoscaleMetric" });
const tag = "Health";

export function healthOperations(sources: HealthSources): readonly Operation[] {
  return [
    operation({
      method: "GET",
      path: "/api/v1/health",
      access: "open",
      tag,
      summary: "Tells that the API is up, and of what it is.",
      answer: healthSchema,
      run: () => ({
        status: sources.isDraining() ? ("draining" as const) : ("ok" as const),
        version: sources.version,
        backend_api_endpoint: sources.publicBase(),
        tunnel_url: null,
        deployment_mode: "oss" as const,
        auth_provider: "api_key" as const,
        turn_enabled: false as const,
        force_turn_relay: false as const,
        signup_enabled: false as const,
        stack_project_id: null,
        stack_publishable_client_key: null,
      }),
    }),
    operation({
      method: "GET",
      path: "/api/v1/health/active-calls",
      access: "metrics",
      tag,
      summary: "Counts this process's live calls, and tells how late its front thread was.",
      answer: activeCallsSchema,
      run: () => {
        const { p95Ms, maxMs } = sources.loopLag();
        return { active_calls: sources.callsLive(), loop_lag_p95_ms: p95Ms, loop_lag_max_ms: maxMs };
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/health/autoscale-metric",
      access: "metrics",
      tag,
      summary: "Gives the live calls and a buffer as the one number that an autoscaler follows.",
      query: z.object({ buffer: z.coerce.number().int().min(0).max(BUFFER_MAX).default(0) }),
      answer: metricSchema,
      run: ({ query: { buffer } }) => ({ value: sources.callsLive() + buffer }),
    }),
  ];
}
