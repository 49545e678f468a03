import assert from "node:assert/strict";
import test from "node:test";

import { counted } from "../../flowviz/serving/classroom/browser/answers.js";
import { bins, named, where } from "../../flowviz/serving/classroom/browser/distribution.js";
import { Following, Leading, followed } from "../../flowviz/serving/classroom/browser/follow.js";
import { storage as stored } from "../../flowviz/serving/classroom/browser/keeping.js";
import { listen, ownName, say } from "../../flowviz/serving/classroom/browser/wire.js";

function storage() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, text) => kept.set(name, String(text)),
    removeItem: (name) => kept.delete(name),
  };
}

// ---- following ---------------------------------------------------------------------------------

function student(keep = storage()) {
  const visits = [];
  const following = new Following((query) => visits.push(query), keep, () => {});
  return { following, visits, keep };
}

test("a student's panel follows, stays when let go, and comes back to its own state when asked", () => {
  const { following, visits } = student();
  following.at("panel=a&x=1");
  assert.equal(following.phase, "");
  following.led("panel=b");
  following.at("panel=b");
  following.led("panel=b&y=2");
  following.at("panel=b&y=2");
  assert.deepEqual(visits, ["panel=b", "panel=b&y=2"]);
  assert.equal(following.phase, "following");
  following.letGo();
  assert.equal(visits.length, 2, "it stays where the lecturer has led to");
  assert.equal(following.phase, "alone");
  following.led("panel=b&y=3");
  assert.equal(visits.length, 2, "let go is let go");
  following.back();
  assert.equal(visits.at(-1), "panel=a&x=1");
  following.at("panel=a&x=7");
  following.follow();
  assert.equal(visits.at(-1), "panel=b&y=3");
  following.at("panel=b&y=3");
  following.letGo();
  following.follow();
  following.at("panel=b&y=3");
  following.letGo();
  following.back();
  assert.equal(visits.at(-1), "panel=a&x=7", "the own state of the second time");
});

test("a busy kernel is asked for the newest state alone, and again if it never answers", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { following, visits } = student();
  following.at("panel=a");
  for (let x = 0; x < 9; x += 1) following.led(`panel=b&x=${x}`);
  assert.deepEqual(visits, ["panel=b&x=0"]);
  following.at("panel=b&x=0");
  assert.deepEqual(visits, ["panel=b&x=0", "panel=b&x=8"]);
  following.led("panel=b&x=9");
  t.mock.timers.tick(2100);
  assert.equal(visits.at(-1), "panel=b&x=9");
});

test("when the lecturer stops, the student chooses where to go on, and the next lead is a new one", () => {
  const { following, visits } = student();
  following.at("panel=a");
  following.led("panel=b");
  following.led(null);
  assert.equal(following.phase, "over");
  following.back();
  assert.equal(visits.at(-1), "panel=a");
  assert.equal(following.phase, "");
  following.led("panel=b");
  following.letGo();
  following.led(null);
  assert.equal(following.phase, "", "who has let go has nothing to choose");
  following.led("panel=c");
  assert.equal(following.phase, "following");
  following.led(null);
  following.settle();
  assert.equal(following.phase, "");
  assert.equal(visits.at(-1), "panel=c");
});

test("a page that is loaded again while it follows still knows its own state", () => {
  const { following, keep } = student();
  following.at("panel=a");
  following.led("panel=b");
  const again = student(keep);
  again.following.led("panel=c"); // before there is a dashboard
  assert.deepEqual(again.visits, []);
  again.following.at("panel=b");
  assert.deepEqual(again.visits, ["panel=c"]);
  again.following.letGo();
  again.following.back();
  assert.equal(again.visits.at(-1), "panel=a");
});

test("others follow the state, and not how large it is shown", () => {
  assert.equal(followed("panel=a&present=1&formula=x%2B1&compact=1"), "panel=a&formula=x%2B1");
});

test("of many moves the last one arrives, and one message is on its way at a time", async () => {
  const said = [];
  let done = null;
  const leading = new Leading((message) => {
    said.push(message.query);
    return new Promise((taken) => { done = taken; });
  }, assert.fail);
  for (let x = 0; x < 50; x += 1) leading.at(`panel=a&x=${x}`);
  assert.deepEqual(said, ["panel=a&x=0"]);
  done();
  while (said.length < 2) await new Promise((next) => { setTimeout(next, 5); });
  assert.equal(said[1], "panel=a&x=49");
  // The end comes after what was said before.
  leading.at("panel=a&x=50");
  leading.stop();
  done();
  while (said.length < 3) await new Promise((next) => { setTimeout(next, 5); });
  assert.equal(said[2], null);
  done();
});

// ---- what is drawn -----------------------------------------------------------------------------

test("a mark beyond the axis says where it is", () => {
  assert.equal(named("you:", 2, 0, 3), "you: 2.00");
  assert.equal(named("you:", 4, 0, 3), "you: 4.00 →");
  assert.equal(named("✓ right:", -1, 0, 3), "← ✓ right: −1.00");
});

test("bins are named by their ends, the outermost are open", () => {
  const shown = { start: 0.5, width: 0.5, counts: [2, 1], below: 0, above: 3 };
  assert.deepEqual(bins(shown).map(({ text, count }) => [text, count]), [
    ["0.5 to 1.0", 2], ["1.0 to 1.5", 1], ["above 1.5", 3],
  ]);
});

test("where drawings are densest is said", () => {
  const shares = new Array(81).fill(0);
  assert.equal(where(shares, 9), "No drawing yet");
  shares[8] = 255;
  assert.match(where(shares, 9), /top right/);
});

test("so many have answered", () => {
  assert.equal(counted(0), "Committed.");
  assert.match(counted(1), /1 of the class has/);
  assert.match(counted(14), /14 of the class have/);
});

// ---- the wire ----------------------------------------------------------------------------------

test("a browser draws its name once, also where nothing can be kept", () => {
  const kept = storage();
  const name = ownName(kept);
  assert.match(name, /^[0-9a-f]{32}$/);
  assert.equal(ownName(kept), name);
  const page = stored("localStorage"); // there is none here
  assert.equal(ownName(page), ownName(page));
});

function browser(t, replies) {
  const asked = [];
  const globals = {
    document: { cookie: "a=1; _xsrf=2%7Cx", hidden: false, addEventListener(_, heard) { globals.seen = heard; } },
    addEventListener() {},
    fetch: async (url, options) => {
      asked.push(options);
      const reply = replies.shift();
      if (reply instanceof Error) throw reply;
      return { ok: reply.status < 300, json: async () => reply, ...reply };
    },
  };
  for (const name of ["document", "addEventListener", "fetch"]) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    globalThis[name] = globals[name];
    t.after(() => {
      if (before) Object.defineProperty(globalThis, name, before);
      else delete globalThis[name];
    });
  }
  return { asked, globals };
}

test("what fails for a while is said again, and what is refused is not", async (t) => {
  const { asked } = browser(t, [
    new TypeError("no network"), { status: 503 }, { status: 429 }, { status: 200 },
    { status: 400, message: "no lesson asks this question" },
  ]);
  await say("u", { a: 1 }, [1, 1, 1]);
  assert.equal(asked.length, 4);
  assert.equal(asked[0].headers["X-XSRFToken"], "2|x");
  assert.ok(!("Authorization" in asked[0].headers));
  await assert.rejects(say("u", {}, [1, 1]), /no lesson asks this question/);
  assert.equal(asked.length, 5);
});

test("without cookies the token goes along", async (t) => {
  const { asked, globals } = browser(t, [{ status: 200 }]);
  globals.document.body = { dataset: { token: "t&1" } };
  await say("u", {});
  assert.equal(asked[0].headers.Authorization, "token t&1");
  globalThis.EventSource = class {
    constructor(url) { globals.url = url; }

    addEventListener() {}

    close() {}
  };
  t.after(() => { delete globalThis.EventSource; });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  listen("events?student=a", () => {});
  assert.equal(globals.url, "events?student=a&token=t%261");
});

test("a lost stream is opened again, and one of a hidden page is let go", (t) => {
  const { globals } = browser(t, []);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const streams = [];
  globalThis.EventSource = class {
    constructor() {
      this.on = {};
      streams.push(this);
    }

    addEventListener(kind, heard) { this.on[kind] = heard; }

    close() { this.closed = true; }
  };
  t.after(() => { delete globalThis.EventSource; });
  const heard = [];
  const lost = [];
  listen("u", (kind, message) => heard.push([kind, message]), (missing) => lost.push(missing));
  streams[0].on.whole({ data: '{"n":1}' });
  streams[0].on.breath({ data: "{}" });
  assert.deepEqual(heard, [["whole", { n: 1 }]]);
  streams[0].onerror();
  assert.ok(streams[0].closed);
  t.mock.timers.tick(3000);
  assert.equal(streams.length, 2);
  streams[1].on.whole({ data: '{"n":2}' });
  assert.deepEqual(lost, [false, true, false]);

  // Silence is a dead connection.
  t.mock.timers.tick(46000);
  assert.ok(streams[1].closed);
  assert.equal(streams.length, 3);

  globals.document.hidden = true;
  globals.seen();
  assert.ok(streams[2].closed);
  t.mock.timers.tick(100000);
  assert.equal(streams.length, 3);
  globals.document.hidden = false;
  globals.seen();
  assert.equal(streams.length, 4);
});
