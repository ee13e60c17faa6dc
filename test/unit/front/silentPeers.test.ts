import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isPrivate, SilentPeers } from "../../../src/front/silentPeers.ts";
import { ManualClock } from "../../support/manualClock.ts";

const bytesOf = (...bytes: number[]): ArrayBuffer => Uint8Array.from(bytes).buffer;
const mapped = (...bytes: number[]): ArrayBuffer => bytesOf(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytes);
const v6 = (...bytes: number[]): ArrayBuffer =>
  bytesOf(0x20, 1, 0x0d, 0xb8, ...bytes, ...Array(12 - bytes.length).fill(9));

/** The same table, by Node. */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["169.254.0.0", 16],
  ["100.64.0.0", 10],
] as const) {
  PRIVATE.addSubnet(network, prefix, "ipv4");
}
PRIVATE.addAddress("::1", "ipv6");
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");

describe("silent peers", () => {
  it("are counted by IPv4 address, in both its forms, and by IPv6 network", () => {
    const peers = new SilentPeers({ perAddress: 2, countsPrivate: false }, new ManualClock());
    const come = (address: ArrayBuffer) => peers.came(address);
    assert.deepEqual(
      [bytesOf(198, 51, 100, 1), mapped(198, 51, 100, 1), bytesOf(198, 51, 100, 1)].map(come),
      [true, true, false],
    );
    assert.ok(come(bytesOf(198, 51, 100, 2)));
    assert.deepEqual([v6(1, 2, 3, 4, 5), v6(1, 2, 3, 4, 6), v6(1, 2, 3, 4, 7)].map(come), [
      true,
      true,
      false,
    ]);
    assert.ok(come(v6(1, 2, 3, 5, 7)));
    for (const address of [bytesOf(127, 0, 0, 1), mapped(10, 0, 0, 1), bytesOf()]) {
      for (let times = 0; times < 10; times++) assert.ok(come(address));
    }
  });

  it("are silent no more once they ask, however late within their time", () => {
    const clock = new ManualClock();
    const peers = new SilentPeers({ perAddress: 2, countsPrivate: false }, clock);
    const address = bytesOf(198, 51, 100, 1);
    for (const _ of [1, 2]) assert.ok(peers.came(address));
    clock.advance(12_000);
    assert.ok(!peers.came(address));
    peers.asked(address);
    assert.ok(peers.came(address));
    assert.ok(!peers.came(address));
  });

  it("are never counted below none, and never above what came and did not ask", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom("came", "asked"), fc.integer({ min: 1, max: 15_000 })), {
          maxLength: 200,
        }),
        (history) => {
          const clock = new ManualClock();
          const peers = new SilentPeers({ perAddress: 5, countsPrivate: false }, clock);
          const address = bytesOf(198, 51, 100, 1);
          let silent = 0;
          for (const event of history) {
            if (typeof event === "number") clock.advance(event);
            else if (event === "asked") {
              peers.asked(address);
              silent = Math.max(0, silent - 1);
            } else {
              const isTaken = peers.came(address);
              if (silent < 5) assert.ok(isTaken, "fewer are silent than may be");
              if (isTaken) silent = Math.min(5, silent + 1);
            }
          }
          clock.advance(24_000);
          for (let times = 0; times < 5; times++) assert.ok(peers.came(address), "all of it is forgotten");
          assert.ok(!peers.came(address));
        },
      ),
    );
  });
});

describe("a private address", () => {
  it("is one that stands for others, and no other", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.constantFrom("172.15.255.255", "172.31.0.1", "100.127.0.1", "100.128.0.1")),
        (text) => {
          assert.equal(
            isPrivate(Uint8Array.from(text.split(".").map(Number))),
            PRIVATE.check(text, "ipv4"),
            text,
          );
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.constantFrom(undefined, 0xfc, 0xfd, 0xfe),
        (bytes, first) => {
          if (first !== undefined) bytes[0] = first;
          const text = Array.from({ length: 8 }, (_, at) =>
            ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16),
          ).join(":");
          assert.equal(isPrivate(bytes), PRIVATE.check(text, "ipv6"), text);
        },
      ),
    );
    assert.ok(isPrivate(Uint8Array.from([...Array(15).fill(0), 1])));
  });
});
