import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PageFacts, pageRoutes } from "../../../src/console/page.ts";
import type { HttpRequest } from "../../../src/http/http.ts";

const REQUEST: HttpRequest = {
  method: "GET",
  path: "/",
  query: undefined,
  headers: new Map(),
  body: new Uint8Array(0),
  params: {},
};

async function page(facts: Partial<PageFacts> = {}): Promise<string> {
  const [route, ...others] = pageRoutes({
    publicBase: () => "https://gw.example.com",
    callsLive: () => 0,
    isDraining: () => false,
    ...facts,
  });
  assert.deepEqual([route?.method, route?.path, others.length], ["GET", "/", 0]);
  const { status, headers, body } = await route!.handle(REQUEST);
  assert.equal(status, 200);
  assert.equal(headers?.["Content-Type"], "text/html; charset=utf-8");
  return String(body);
}

describe("the page at /", () => {
  it("says what this is, that it runs, and what Twilio is to be told", async () => {
    const html = await page();
    assert.match(html, /^<!doctype html>/);
    assert.match(html, /voice agents on the telephone/);
    assert.match(html, /Running<\/strong>, 0 calls now/);
    assert.match(html, /POST https:\/\/gw\.example\.com\/api\/v1\/telephony\/inbound\/run/);
  });

  it("counts calls, one of them properly, and says when it shuts down", async () => {
    assert.match(await page({ callsLive: () => 1 }), /, 1 call now/);
    assert.match(
      await page({ callsLive: () => 2, isDraining: () => true }),
      /Shutting down<\/strong>, 2 calls now/,
    );
  });

  it("shows its address as text, whatever is in it", async () => {
    const html = await page({ publicBase: () => `https://gw.example.com/<b>&"x"` });
    assert.ok(!html.includes("<b>"));
    assert.match(html, /https:\/\/gw\.example\.com\/&#60;b&#62;&#38;&#34;x&#34;\/api/);
  });
});
