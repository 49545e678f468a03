import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";

import { isStep } from "../../flowviz/dashboard/shell.js";

test("only a change of panel is a step that Back undoes", () => {
  assert.equal(isStep("?panel=a&layers=4", "panel=a&layers=5"), false);
  assert.equal(isStep("?panel=a&layers=4", "panel=b"), true);
});

test("the first address of a page is no step", () => {
  assert.equal(isStep("", "panel=a"), false);
  assert.equal(isStep("?token=x", "panel=a"), false);
});

// The page's own script, with as little of a browser as it asks for.
function page({ kernelStatus = 200 } = {}) {
  const element = () => ({
    hidden: true,
    style: {},
    textContent: "",
    parts: {},
    querySelector(name) { return (this.parts[name] ??= element()); },
    querySelectorAll: () => [],
    replaceChildren(...texts) { this.textContent = texts.join(""); },
    remove() {},
  });
  const elements = {};
  const listeners = {};
  class Socket {
    constructor(url) {
      this.url = url;
      this.on = {};
      sockets.push(this);
    }
    addEventListener(kind, listener) { this.on[kind] = listener; }
  }
  const sockets = [];
  const timers = [];
  const timeouts = [];
  const context = {
    AbortSignal: { timeout: (ms) => timeouts.push(ms) },
    URL, URLSearchParams, Set, TextDecoder, DataView, ArrayBuffer, Number, JSON, String, Event,
    location: { href: "http://h:1/?panel=a", search: "?panel=a", reload() { context.reloaded = true; } },
    document: {
      hidden: false,
      body: { dataset: { kernelId: "k-1" } },
      getElementById: (id) => (elements[id] ??= element()),
    },
    addEventListener: (kind, listener) => { listeners[kind] = listener; },
    dispatchEvent() {},
    setInterval() {},
    setTimeout(run) {
      timers.push(run);
      return run;
    },
    clearTimeout(run) {
      if (timers.includes(run)) timers.splice(timers.indexOf(run), 1);
    },
    fetch: async (url) => {
      context.fetched = url;
      return { status: kernelStatus };
    },
  };
  elements["jupyter-config-data"] = {
    textContent: '{"baseUrl": "/base/"}',
  };
  context.window = context;
  context.WebSocket = Socket;
  const source = readFileSync(
    new URL("../../flowviz/serving/template/page.js", import.meta.url), "utf8",
  );
  vm.runInNewContext(source, context);
  const connect = () => {
    new context.WebSocket("ws://h:1/api/kernels/k-1/channels?session_id=2");
    const socket = sockets.at(-1);
    socket.on.open();
    return socket;
  };
  const notice = context.document.getElementById("fv-notice");
  return { context, notice, connect, timers, timeouts, listeners };
}

// A message as Jupyter's v1 protocol packs it: offsets, then channel and the four JSON parts.
function packed(type, content) {
  const parts = ["iopub", JSON.stringify({ msg_type: type }), "{}", "{}", JSON.stringify(content)]
    .map((part) => new TextEncoder().encode(part));
  const count = parts.length + 1;
  const head = 8 * (count + 1);
  const size = parts.reduce((sum, part) => sum + part.length, head);
  const data = new ArrayBuffer(size);
  const view = new DataView(data);
  view.setBigUint64(0, BigInt(count), true);
  let offset = head;
  view.setBigUint64(8, BigInt(offset), true);
  parts.forEach((part, index) => {
    new Uint8Array(data).set(part, offset);
    offset += part.length;
    view.setBigUint64(8 * (index + 2), BigInt(offset), true);
  });
  return data;
}

// The page's script that sees to the token, in a browser that keeps cookies or refuses them.
function arrival({ cookies }) {
  const context = {
    URL,
    location: { href: "http://h:1/?panel=a&token=secret", origin: "http://h:1" },
    history: { state: null, replaceState(_, __, url) { context.address = String(url); } },
    document: { body: { dataset: {} }, addEventListener() {} },
    navigator: { sendBeacon(address) { context.told = address; } },
  };
  let kept = "";
  Object.defineProperty(context.document, "cookie", {
    get: () => kept,
    set: (cookie) => { if (cookies) kept = cookie.split(";")[0]; },
  });
  context.window = context;
  const source = new URL("../../flowviz/serving/template/token.js", import.meta.url);
  vm.runInNewContext(readFileSync(source, "utf8"), context);
  return context;
}

test("the token leaves the address where a cookie takes its place", () => {
  const { address, document } = arrival({ cookies: true });
  assert.equal(address, "http://h:1/?panel=a");
  assert.equal(document.body.dataset.token, undefined);
});

test("the token stays, and goes with what the page asks, where cookies are refused", () => {
  const { address, document, navigator, ...page } = arrival({ cookies: false });
  assert.equal(address, undefined);
  assert.equal(document.body.dataset.token, "secret");
  navigator.sendBeacon("/voila/api/shutdown/k-1");
  assert.equal(page.window.told, "http://h:1/voila/api/shutdown/k-1?token=secret");
});

test("a widget's code has a minute to start, other time limits stay", () => {
  const { context, timeouts } = page();
  context.AbortSignal.timeout(2000);
  context.AbortSignal.timeout(500);
  assert.deepEqual(timeouts, [60000, 500]);
});

test("a kernel that restarts or dies is told, with a way back", () => {
  for (const state of ["restarting", "dead"]) {
    const { notice, connect, context } = page();
    const socket = connect();
    assert.equal(notice.hidden, true);
    socket.on.message({ data: packed("status", { execution_state: "busy" }) });
    assert.equal(notice.hidden, true);
    socket.on.message({ data: packed("status", { execution_state: state }) });
    assert.equal(notice.hidden, false);
    assert.match(notice.querySelector("p").textContent, /stopped/);
    notice.querySelector("button").onclick();
    assert.equal(context.reloaded, true);
  }
});

test("the older form of messages is read too", () => {
  const { notice, connect } = page();
  const message = { header: { msg_type: "status" }, content: { execution_state: "dead" } };
  connect().on.message({ data: JSON.stringify(message) });
  assert.equal(notice.hidden, false);
});

test("what a widget says about states is no status", () => {
  const { notice, connect } = page();
  const socket = connect();
  socket.on.message({ data: packed("comm_msg", { execution_state: "dead" }) });
  socket.on.message({ data: new ArrayBuffer(5000) });
  socket.on.message({ data: "x".repeat(5000) });
  assert.equal(notice.hidden, true);
});

test("a lost connection is told, and forgotten when it is back", () => {
  const { notice, connect, timers } = page();
  const socket = connect();
  socket.on.close();
  timers.splice(0).forEach((run) => run());
  assert.match(notice.querySelector("p").textContent, /reconnect/);
  assert.equal(notice.hidden, false);
  connect();
  assert.equal(notice.hidden, true);
});

test("a page that is being left says nothing", () => {
  const { notice, connect, timers, listeners } = page();
  const socket = connect();
  listeners.pagehide();
  socket.on.close();
  timers.splice(0).forEach((run) => run());
  assert.equal(notice.hidden, true);
});

test("a session that the server ended is told when the visitor comes back", async () => {
  const { notice, context, listeners } = page({ kernelStatus: 404 });
  listeners.visibilitychange();
  await new Promise(setImmediate);
  assert.equal(context.fetched, "/base/api/kernels/k-1");
  assert.match(notice.querySelector("p").textContent, /session has ended: after a long pause/);
});
