import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../../src/domain/errors.ts";
import type { Handler, HttpRequest, HttpResponse, Route } from "../../../src/http/http.ts";
import { json, text } from "../../../src/http/respond.ts";
import { createRouter, type RawRequest, type Router } from "../../../src/http/router.ts";

const NO_BODY = new Uint8Array(0);

function request(method: string, path: string): RawRequest {
  return { method, path, query: undefined, headers: new Map(), body: NO_BODY };
}

function route(
  method: Route["method"],
  path: string,
  handle: Handler = () => text(200, `${method} ${path}`),
): Route {
  return { method, path, handle };
}

/** A handler that says what it was given. */
const tell: Handler = ({ method, path, params }) => json(200, { method, path, params });

function routerOf(routes: readonly Route[], pathPrefix = ""): Router {
  return createRouter(routes, { pathPrefix, onError: (error) => assert.fail(String(error)) });
}

function answered(response: HttpResponse | Promise<HttpResponse>): HttpResponse {
  assert.ok(!(response instanceof Promise), "answered at once");
  return response;
}

function bodyOf(response: HttpResponse | Promise<HttpResponse>): unknown {
  return JSON.parse(String(answered(response).body));
}

describe("the router's paths", () => {
  const router = routerOf([
    route("GET", "/"),
    route("GET", "/livez"),
    route("GET", "/api/v1/numbers/{number}", tell),
    route("GET", "/api/v1/{kind}/{id}/calls/{call}", tell),
  ]);
  const statusOf = (path: string) => answered(router.handle(request("GET", path))).status;

  it("finds the root and literal paths", () => {
    assert.equal(answered(router.handle(request("GET", "/"))).body, "GET /");
    assert.equal(answered(router.handle(request("GET", "/livez"))).body, "GET /livez");
  });

  it("hands over what the named segments matched, percent-decoded", () => {
    assert.deepEqual(bodyOf(router.handle(request("GET", "/api/v1/numbers/%2B1555%20%C3%A9%2F1"))), {
      method: "GET",
      path: "/api/v1/numbers/%2B1555%20%C3%A9%2F1",
      params: { number: "+1555 é/1" },
    });
    assert.deepEqual(bodyOf(router.handle(request("GET", "/api/v1/a/b/calls/c"))), {
      method: "GET",
      path: "/api/v1/a/b/calls/c",
      params: { kind: "a", id: "b", call: "c" },
    });
  });

  it("goes back from a literal that leads nowhere to a named segment", () => {
    assert.deepEqual(bodyOf(router.handle(request("GET", "/api/v1/numbers/7/calls/8"))), {
      method: "GET",
      path: "/api/v1/numbers/7/calls/8",
      params: { kind: "numbers", id: "7", call: "8" },
    });
  });

  for (const path of [
    "/livez/",
    "//livez",
    "/livez//",
    "/./livez",
    "/api/../livez",
    "/LIVEZ",
    "/%6civez",
    "/livez%2f",
    "/api/v1/numbers/",
    "/api/v1/numbers//",
    "/api/v1/numbers/..",
    "/api/v1/numbers/.",
    "/api/v1/numbers/%2e%2E",
    "/api/v1/numbers/.%2e",
    "/api/v1//numbers/1",
    "/api/v1/numbers/1/",
    "//",
    "",
    "*",
  ]) {
    it(`matches nothing with ${JSON.stringify(path)}`, () => assert.equal(statusOf(path), 404));
  }

  for (const segment of ["%", "%zz", "%e9", "%C3", "%ff%fe", "a%2"]) {
    it(`answers 400 to a value written ${segment}`, () => {
      const answer = answered(router.handle(request("GET", `/api/v1/numbers/${segment}`)));
      assert.equal(answer.status, 400);
      assert.deepEqual(JSON.parse(String(answer.body)), {
        detail: "The path has a malformed percent-encoding.",
      });
    });
  }

  it("gives back any value that was percent-encoded", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (value) => {
        fc.pre(value !== "." && value !== "..");
        const told = bodyOf(router.handle(request("GET", `/api/v1/numbers/${encodeURIComponent(value)}`)));
        assert.deepEqual((told as { params: unknown }).params, { number: value });
      }),
    );
  });

  it("answers any path at all with one of its own statuses", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("/", "api", "v1", "numbers", "calls", "..", "%2e", "%", "a", "?", "é")),
        (parts) => assert.ok([200, 400, 404].includes(statusOf(`/${parts.join("")}`))),
      ),
    );
  });
});

describe("the router's methods", () => {
  const router = routerOf([
    route("GET", "/numbers/{id}", tell),
    route("PUT", "/numbers/{number}", tell),
    route("DELETE", "/numbers/default"),
    route("POST", "/inbound"),
  ]);

  it("serves HEAD with the handler of GET", () => {
    assert.deepEqual(bodyOf(router.handle(request("HEAD", "/numbers/1"))), {
      method: "HEAD",
      path: "/numbers/1",
      params: { id: "1" },
    });
  });

  it("names a segment as the method's own route does", () => {
    assert.deepEqual(bodyOf(router.handle(request("PUT", "/numbers/1"))), {
      method: "PUT",
      path: "/numbers/1",
      params: { number: "1" },
    });
  });

  it("answers 405 with every method the path has", () => {
    const answer = answered(router.handle(request("PATCH", "/numbers/1")));
    assert.equal(answer.status, 405);
    assert.deepEqual(answer.headers, { Allow: "GET, HEAD, PUT" });
    assert.deepEqual(bodyOf(answer), { detail: "Method Not Allowed" });
    assert.deepEqual(answered(router.handle(request("POST", "/numbers/default"))).headers, {
      Allow: "DELETE, GET, HEAD, PUT",
    });
    assert.deepEqual(answered(router.handle(request("HEAD", "/inbound"))).headers, { Allow: "POST" });
  });

  it("uses a named segment's route where the literal has none for the method", () => {
    assert.equal(answered(router.handle(request("GET", "/numbers/default"))).status, 200);
    assert.equal(
      answered(router.handle(request("DELETE", "/numbers/default"))).body,
      "DELETE /numbers/default",
    );
  });

  it("takes methods as they are written", () => {
    assert.equal(answered(router.handle(request("get", "/numbers/1"))).status, 405);
    assert.equal(answered(router.handle(request("OPTIONS", "/numbers/1"))).status, 405);
  });

  it("tells of a method that is not allowed, and only then", () => {
    const told: HttpRequest[] = [];
    const telling = createRouter([route("POST", "/inbound")], {
      pathPrefix: "/base",
      onError: () => assert.fail(),
      onMethodNotAllowed: (refused) => told.push(refused),
    });
    telling.handle(request("GET", "/base/inbound"));
    telling.handle(request("GET", "/base/outbound"));
    telling.handle(request("POST", "/base/inbound"));
    assert.deepEqual(
      told.map(({ method, path }) => [method, path]),
      [["GET", "/inbound"]],
    );
  });
});

describe("the public base's path prefix", () => {
  it("may be on a path or not", () => {
    const router = routerOf([route("GET", "/livez", tell), route("GET", "/", tell)], "/tele/phony");
    for (const path of ["/tele/phony/livez", "/livez"]) {
      assert.deepEqual(bodyOf(router.handle(request("GET", path))), {
        method: "GET",
        path: "/livez",
        params: {},
      });
    }
    for (const path of ["/tele/phony", "/tele/phony/", "/"]) {
      assert.deepEqual(bodyOf(router.handle(request("GET", path))), { method: "GET", path: "/", params: {} });
    }
    for (const path of [
      "/tele/phonylivez",
      "/tele/livez",
      "/tele/phony/tele/phony/livez",
      "/tele/phony//livez",
    ]) {
      assert.equal(answered(router.handle(request("GET", path))).status, 404, path);
    }
  });

  it("may be how a route begins as well", () => {
    const router = routerOf([route("GET", "/api/v1", tell)], "/api");
    for (const path of ["/api/v1", "/api/api/v1"]) {
      assert.deepEqual(bodyOf(router.handle(request("GET", path))), {
        method: "GET",
        path: "/api/v1",
        params: {},
      });
    }
  });

  it("is refused when it is not written as a prefix is", () => {
    for (const prefix of ["tele", "/tele/", "/"]) assert.throws(() => routerOf([], prefix), /path prefix/);
  });
});

describe("what handlers throw", () => {
  function failing(error: unknown): { at(path: string): Promise<HttpResponse>; readonly told: unknown[] } {
    const told: unknown[] = [];
    const router = createRouter(
      [
        route("GET", "/now", () => {
          throw error;
        }),
        route("GET", "/later", async () => {
          throw error;
        }),
      ],
      { pathPrefix: "", onError: (was, { path }) => told.push([was, path]) },
    );
    return { at: async (path) => router.handle(request("GET", path)), told };
  }

  it("becomes a 500 that tells the client nothing and the log everything", async () => {
    const error = new Error("secret of the inside");
    const router = failing(error);
    for (const path of ["/now", "/later"]) {
      const answer = await router.at(path);
      assert.equal(answer.status, 500);
      assert.deepEqual(bodyOf(answer), { detail: "Internal Server Error" });
    }
    assert.deepEqual(router.told, [
      [error, "/now"],
      [error, "/later"],
    ]);
  });

  it("picks its status when it was expected", async () => {
    const router = failing(new GatewayError("REQUEST_MALFORMED", "a sentence"));
    for (const path of ["/now", "/later"]) {
      const answer = await router.at(path);
      assert.equal(answer.status, 400);
      assert.deepEqual(bodyOf(answer), { detail: "a sentence" });
    }
  });

  it("is a fault of ours when no request can have caused it", async () => {
    const router = failing(new GatewayError("ADDRESS_IN_USE", "of no client's business"));
    assert.deepEqual(bodyOf(await router.at("/now")), { detail: "Internal Server Error" });
    assert.equal(router.told.length, 1);
  });

  it("may be anything", async () => {
    for (const thrown of [undefined, null, "text", 7, { detail: "no" }]) {
      assert.equal((await failing(thrown).at("/later")).status, 500);
    }
  });
});

describe("routes that cannot be meant", () => {
  for (const [what, routes] of [
    ["two for one method and path", [route("GET", "/a/{x}"), route("GET", "/a/{y}")]],
    ["a path without its slash", [route("GET", "a")]],
    ["a name inside a segment", [route("GET", "/a-{x}")]],
    ["an empty name", [route("GET", "/{}")]],
    ["one name twice", [route("GET", "/{x}/{x}")]],
  ] as const) {
    it(`are refused when they are made: ${what}`, () => {
      assert.throws(() => routerOf(routes), assert.AssertionError);
    });
  }
});
