// The page at `/`: says what this is and that it runs. Holds no secret and no number.
import type { Route } from "../http/http.ts";

export interface PageFacts {
  readonly publicBase: () => string;
  readonly callsLive: () => number;
  readonly isDraining: () => boolean;
}

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #1d2a33 }
  h1 { font-size: 1.6rem } code { background: #eef2f4; padding: .1em .35em; border-radius: 3px } .state { color: #0a7a4b }
  @media (prefers-color-scheme: dark) { body { background: #12181c; color: #dbe4ea } code { background: #22303a } .state { color: #59d39b } }
`;

export function pageRoutes(facts: PageFacts): readonly Route[] {
  const handle: Route["handle"] = () => {
    const live = facts.callsLive();
    const state = facts.isDraining() ? "Shutting down" : "Running";
    const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Linecard</title>
<style>${STYLE}</style>
<h1>Linecard</h1>
<p>A real-time audio gateway that puts voice agents on the telephone.</p>
<p class="state"><strong>${state}</strong>, ${live} ${live === 1 ? "call" : "calls"} now.</p>
<p>Twilio's webhook is <code>POST ${escapeHtml(facts.publicBase())}/api/v1/telephony/inbound/run</code>.<br>
Health is at <code>/livez</code> and <code>/readyz</code>, metrics are at <code>/metrics</code>.</p>
</html>
`;
    return { status: 200, headers: { "Content-Type": "text/html; charset=utf-8" }, body };
  };
  return [{ method: "GET", path: "/", handle }];
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
