import assert from "node:assert/strict";
import test from "node:test";

import answered from "../../flowviz/exercises/answered.js";

// A tab's widget, with as little of a browser as it asks for.
function tab(kept) {
  globalThis.localStorage = {
    getItem: (place) => kept[place] ?? null,
    setItem(place, text) { kept[place] = text; },
  };
  const element = () => ({ classList: { add() {} }, setAttribute() {}, append() {} });
  globalThis.document = { createElement: element };
  const state = { lesson: "02", answered: [], forgotten: [], elsewhere: [], total: 7 };
  const listeners = {};
  const model = {
    get: (name) => state[name],
    on(events, listener) { for (const event of events.split(" ")) listeners[event] = listener; },
  };
  const shown = [];
  const el = { ...element(), append: (...parts) => shown.push(...parts) };
  answered.render({ model, el });
  const tell = (name, value) => {
    state[name] = value;
    listeners[`change:${name}`]();
  };
  return Object.assign(tell, { words: () => shown.at(-1).textContent });
}

test("two tabs of one lesson keep the answers of both, and what one forgets is forgotten", () => {
  const kept = {};
  const first = tab(kept);
  const second = tab(kept);
  const answers = () => JSON.parse(kept["flowviz.progress.02"]).answered.sort();
  first("answered", ["a"]);
  second("answered", ["b"]);
  first("answered", ["a", "c"]);
  assert.deepEqual(answers(), ["a", "b", "c"]);
  first("forgotten", ["a"]);
  second("answered", ["b", "d"]);
  assert.deepEqual(answers(), ["b", "c", "d"]);
});

test("what a page has no cell for is told, until it is done in another", () => {
  const line = tab({});
  assert.equal(line.words(), "0 of 7 answered");
  line("elsewhere", ["check a", "check b"]);
  assert.equal(line.words(), "0 of 7 answered; 2 are programmes, for JupyterLab");
  line("answered", ["check a"]);
  assert.equal(line.words(), "1 of 7 answered; 1 is a programme, for JupyterLab");
});
