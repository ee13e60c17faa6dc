// The rules of placing a call: as whom, to whom, for how long.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  chooseLine,
  destinationOf,
  orderFor,
  refusalError,
} from "../../../../src/calls/outbound/outbound.ts";
import { REFUSALS } from "../../../../src/domain/endings.ts";
import { GatewayError, type GatewayErrorCode } from "../../../../src/domain/errors.ts";
import { AccountSid, ConfigurationId, NumberId } from "../../../../src/domain/ids.ts";
import { type Configuration, Directory, type PhoneNumber } from "../../../../src/numbers/directory.ts";

function configuration(id: number, changes: Partial<Configuration> = {}): Configuration {
  return {
    ...{
      id: ConfigurationId(id),
      name: `Account ${id}`,
      accountSid: AccountSid(`AC${id}`),
      authTokens: ["t"],
    },
    ...{ apiKey: undefined, region: undefined, edge: undefined, amdEnabled: false, isDefaultOutbound: false },
    ...{ isDemo: false, createdAtMs: id },
    ...changes,
  };
}

function number(id: number, configurationId: number, changes: Partial<PhoneNumber> = {}): PhoneNumber {
  return {
    ...{ id: NumberId(id), configurationId: ConfigurationId(configurationId), address: `+1202555010${id}` },
    ...{ type: "pstn", isActive: true, isDefaultCallerId: false, inboundWorkflowId: undefined },
    ...changes,
  };
}

const directory = (configurations: readonly Configuration[], numbers: readonly PhoneNumber[]) =>
  new Directory({ configurations, numbers, workflows: [] }, new Map(), false);
const refused = (act: () => unknown): [GatewayErrorCode, string] => {
  try {
    act();
  } catch (error) {
    assert(error instanceof GatewayError);
    return [error.code, error.message];
  }
  throw new Error("nothing was refused");
};
const chosen = (accounts: Directory, configurationId?: number, numberId?: number) => {
  const line = chooseLine(accounts, {
    configurationId: configurationId === undefined ? undefined : ConfigurationId(configurationId),
    numberId: numberId === undefined ? undefined : NumberId(numberId),
  });
  return [line.configuration.id, line.number.id];
};

describe("the account of a call", () => {
  it("is the default one, else the first that is ready", () => {
    const numbers = [number(1, 1), number(2, 2), number(3, 3)];
    const all = [configuration(1), configuration(2), configuration(3, { isDefaultOutbound: true })];
    assert.deepEqual(chosen(directory(all, numbers)), [3, 3]);
    assert.deepEqual(chosen(directory(all, numbers.slice(1, 2))), [2, 2]);
    assert.deepEqual(chosen(directory(all.slice(0, 2), numbers)), [1, 1]);
  });

  it("that is named is taken or refused, and no other one instead", () => {
    const accounts = directory([configuration(1), configuration(2)], [number(1, 1)]);
    assert.deepEqual(chosen(accounts, 1), [1, 1]);
    assert.deepEqual(
      refused(() => chosen(accounts, 9)),
      ["NOT_POSSIBLE", "telephony_configuration_not_found"],
    );
    assert.match(refused(() => chosen(accounts, 2))[1], /^'Account 2' is not ready for outbound calls\./);
  });

  it("is none where no number can be a caller ID", () => {
    const useless = [
      number(1, 1, { isActive: false }),
      number(2, 1, { type: "sip_uri", address: "sip:desk@example.com" }),
    ];
    for (const accounts of [directory([], []), directory([configuration(1)], useless)]) {
      assert.deepEqual(
        refused(() => chosen(accounts)),
        ["NOT_POSSIBLE", "telephony_not_configured"],
      );
    }
  });
});

describe("the caller ID", () => {
  const accounts = directory(
    [configuration(1), configuration(2)],
    [
      number(1, 1, { isActive: false, isDefaultCallerId: true }),
      number(2, 1),
      number(3, 1),
      number(4, 2),
      number(5, 2, { isDefaultCallerId: true }),
    ],
  );

  it("is the one that is named, else the account's default, else any active number", () => {
    assert.deepEqual(chosen(accounts, 1, 3), [1, 3]);
    assert.deepEqual(chosen(accounts, 2), [2, 5]);
    assert.deepEqual(chosen(accounts, 1), [1, 2]);
  });

  it("has to be the account's, active, and a telephone number", () => {
    for (const id of [1, 4, 99]) {
      assert.deepEqual(
        refused(() => chosen(accounts, 1, id)),
        ["NOT_POSSIBLE", "from_phone_number_not_found"],
      );
    }
  });
});

describe("the destination", () => {
  it("is what was asked for, else the test number, in one form", () => {
    assert.equal(destinationOf("+1 (415) 555-0100", "+14155550111", []), "+14155550100");
    assert.equal(destinationOf(undefined, "+1 415 555 0111", []), "+14155550111");
    assert.equal(destinationOf("", "+14155550111", []), "+14155550111");
    assert.match(refused(() => destinationOf(undefined, undefined, []))[1], /must be provided/);
  });

  it("is nowhere where calls may not go", () => {
    for (const text of ["112", "+1 911", "sip:sos@example.com"]) {
      assert.match(refused(() => destinationOf(text, "+14155550111", []))[1], /Emergency/, text);
    }
    assert.equal(destinationOf("+4420123456", undefined, ["+1", "+44"]), "+4420123456");
    assert.match(refused(() => destinationOf("+4930123456", undefined, ["+1", "+44"]))[1], /DIAL_PREFIXES/);
    assert.match(refused(() => destinationOf("0000", undefined, []))[1], /./);
  });
});

describe("what Twilio is asked for", () => {
  const urls = { answer: "a", statusCallback: "s", machineDetection: "m", fallback: "f" };
  const order = (maxMs: number, amd = false) =>
    orderFor({ to: "+1", from: "+2" }, urls, amd, { type: "echo", max_duration_ms: maxMs });

  it("lets a call last a little longer than its workflow does, within Twilio's limit", () => {
    assert.deepEqual(
      [1, 60_000, 3_600_000, 86_400_000, 0].map((maxMs) => order(maxMs).timeLimitS),
      [61, 120, 3_660, 14_400, 14_400],
    );
  });

  it("listens for machines beside the call, and only where that is wanted", () => {
    const { machineDetection, asyncAmdStatusCallback } = order(1, true);
    assert.deepEqual([machineDetection, asyncAmdStatusCallback], ["Enable", "m"]);
    assert(!("machineDetection" in order(1)) && !("asyncAmdStatusCallback" in order(1)));
  });
});

describe("a refusal", () => {
  it("has a status of its kind and a sentence, whatever the reason, and says when to try again", () => {
    const later: Partial<Record<GatewayErrorCode, true>> = { TOO_MANY: true, NOT_NOW: true };
    for (const refusal of REFUSALS) {
      const error = refusalError(refusal);
      assert(error.message.length > 10);
      assert.equal(error.retryAfterS !== undefined, later[error.code] ?? false, refusal);
    }
    assert.equal(refusalError("calls_at_limit").code, "TOO_MANY");
    assert.equal(refusalError("workflow_missing").code, "NOT_FOUND");
  });
});
