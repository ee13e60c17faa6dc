// The scrape, and who may have it.
import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpRequest, HttpResponse, Route } from "../http/http.ts";
import { detail } from "../http/respond.ts";
import type { Metrics } from "./metrics.ts";

const UNAUTHORIZED: HttpResponse = {
  ...detail(401, "A bearer token is wanted: METRICS_TOKEN or an API key"),
  headers: { "WWW-Authenticate": "Bearer" },
};

/** `keys`: what opens the scrape, as a bearer token or an API key; undefined where it is open to all. */
export function metricsRoutes(metrics: Metrics, keys: readonly string[] | undefined): readonly Route[] {
  const handle: Route["handle"] = async (request) => {
    if (keys !== undefined && !keys.some((key) => isSame(keyOf(request), key))) {
      return UNAUTHORIZED;
    }
    const body = await metrics.registry.metrics();
    return { status: 200, headers: { "Content-Type": metrics.registry.contentType }, body };
  };
  return [{ method: "GET", path: "/metrics", handle }];
}

function keyOf({ headers }: HttpRequest): string {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "");
  return headers.get("x-api-key") ?? bearer?.[1] ?? "";
}

/** In a time that doesn't tell how much of a guess was right. */
function isSame(guess: string, key: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(guess), hash(key));
}
