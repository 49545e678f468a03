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
  const state = { lesson: "02", answered: [], forgotten: [], total: 7 };
  const listeners = {};
  const model = {
    get: (name) => state[name],
    on(event, listener) { listeners[event] = listener; },
  };
  answered.render({ model, el: element() });
  return (name, value) => {
    state[name] = value;
    listeners[`change:${name}`]();
  };
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
