import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  docsUrl,
  explainSipCode,
  explainTwilioCode,
  TRIAL_KEY_PRESS,
  TRIAL_NOTICE,
} from "../../../src/twilio/errors.ts";

/** What the gateway can meet. */
const KNOWN = [
  ...[
    10001, 10004, 13805, 20003, 20005, 20008, 20404, 20429, 21200, 21201, 21205, 21208, 21210, 21211, 21212,
  ],
  ...[21213, 21214, 21215, 21216, 21217, 21219, 21220, 21402, 21405, 21608, 21609, 21626, 573005],
  ...[11100, 11200, 11205, 11210, 11215, 11217, 11220, 11237, 11750, 12100, 12300, 15003],
  ...[31901, 31902, 31903, 31904, 31910, 31920, 31921, 31922, 31923, 31924, 31930, 31931, 31940, 31941],
  ...[31950, 31951, 31952, 31953, 31954],
];
const SENTENCES = /^[A-Z].*[^.]\.$/s;

describe("Twilio's codes in words", () => {
  for (const code of KNOWN) {
    it(`tell what ${code} is and what to do`, () => {
      const { sentence, remedy } = explainTwilioCode(code);
      assert.match(sentence, SENTENCES);
      assert.match(remedy, SENTENCES);
      assert.doesNotMatch(sentence, /no words for/);
    });
  }

  it("say so when a code is unknown, and where Twilio explains it", () => {
    const { sentence, remedy } = explainTwilioCode(29999);
    assert.match(sentence, /29999.*no words/);
    assert.equal(remedy, "Read https://www.twilio.com/docs/errors/29999.");
    assert.equal(docsUrl(21215), "https://www.twilio.com/docs/errors/21215");
  });

  it("are different for everything a trial account does", () => {
    const trial = [21219, 573005, 13805, 21608].map(explainTwilioCode);
    const sentences = [...trial, TRIAL_NOTICE, TRIAL_KEY_PRESS].map(({ sentence }) => sentence);
    assert.equal(new Set(sentences).size, sentences.length);
    for (const sentence of sentences) assert.match(sentence, /trial/);
  });
});

describe("SIP's codes in words", () => {
  for (let code = 400; code < 700; code++) {
    const { sentence, remedy } = explainSipCode(code)!;
    assert.match(sentence, SENTENCES);
    assert.match(remedy, SENTENCES);
  }

  it("tell the common ones apart", () => {
    const common = [404, 480, 486, 487, 500, 503, 603].map((code) => explainSipCode(code)!.sentence);
    assert.equal(new Set(common).size, common.length);
    assert.match(explainSipCode(486)!.sentence, /busy/);
    assert.match(explainSipCode(502)!.sentence, /502/);
  });

  it("have nothing to say about success", () => {
    for (const code of [100, 180, 200, 302, Number.NaN]) assert.equal(explainSipCode(code), undefined);
  });
});
