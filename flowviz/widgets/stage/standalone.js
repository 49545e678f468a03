// A stage without a kernel: the model that a stand-alone page gives to its view.

import { make } from "./dom.js";
import { StageView } from "./view.js";

const DEFAULTS = {
  particles: [], grids: [], images: [], contours: [], fields: [], paths: [], shapes: [],
  handles: [], window: [-4, 4, -4, 4], title: "", description: "", state_names: [], position: 0,
  playing: false, speed: 600, loop: false, stretches: 1, direction: "forward", clock: "",
  transport: true, strip: false, axes: true, drawing: "off", drawn: null, probing: false, probe: null,
  picking: false, picked: -1, readout: null, max_width: 0, held: null,
};

/** A model as the view sees it, holding its state on the page alone. */
export class StillModel {
  constructor(state) {
    this.state = { ...DEFAULTS, ...state };
    this.listeners = new Map();
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    this.state[name] = value;
    for (const listener of this.listeners.get(`change:${name}`) ?? []) listener();
  }

  save_changes() {}

  on(event, listener) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener));
  }
}

/** Show `state` in `parent` of a page of its own, with a switch between light and dark. */
export function standalone(parent, state) {
  const root = document.documentElement;
  const choose = (theme) => { root.dataset.fvTheme = theme; };
  choose(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  if (state.strip) parent.style.maxWidth = "1200px";
  const view = new StageView(new StillModel({ ...state, max_width: 0 }), parent);
  view.tools.prepend(
    make("button", {
      type: "button", "aria-label": "Switch between light and dark",
      click: () => choose(root.dataset.fvTheme === "dark" ? "light" : "dark"),
    }, "◐"),
  );
  return view;
}
