// Stages without a kernel: a page that fits its frame, with the player and the training scrubber.

import { clockFor } from "./clock.js";
import { make } from "./dom.js";
import { playerKey } from "./interaction.js";
import { Reel } from "./reel.js";
import { Transport } from "./transport.js";
import { StageView } from "./view.js";

const DEFAULTS = {
  particles: [], grids: [], images: [], contours: [], fields: [], paths: [], shapes: [], lines: [],
  handles: [], film: [], window: [-4, 4, -4, 4], title: "", description: "", state_names: [],
  position: 0, playing: false, speed: 600, loop: false, stretches: 1, direction: "forward",
  unit: "layer", unit_range: [0, 1], reversible: true, strip: false, axes: true, aspect: "equal",
  axis_titles: ["", ""], drawing: "off", drawn: null, probing: false, probe: null, picking: false,
  picked: -1, readout: null, held: null,
};

/** What the page sets by itself: one bar drives all its stages, each as large as there is room. */
const ON_THE_PAGE = { clock: "page", transport: false, tools: false, fit: true, max_width: 0 };

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

/**
 * Show {title, stages: [state, …]} in `parent`, which fills its page: the stages side by side, the
 * player, and the training scrubber where there is a film. Returns {views, clock}.
 */
export function standalone(parent, { title, stages }) {
  const root = document.documentElement;
  const choose = (theme) => { root.dataset.fvTheme = theme; };
  choose(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const clock = clockFor(ON_THE_PAGE.clock);
  const act = (change, settled = true) => clock.act(change, settled);

  const transport = new Transport({
    act,
    onKey: (event) => {
      if (playerKey(event.key, act)) event.preventDefault();
    },
    turn: () => act((p) => { p.direction = p.direction === "inverse" ? "forward" : "inverse"; }),
  });
  const reel = new Reel({ act, live: "end" });
  const theme = make("button", {
    type: "button", class: "fv-stage-theme", "aria-label": "Switch between light and dark",
    click: () => choose(root.dataset.fvTheme === "dark" ? "light" : "dark"),
  }, "◐");
  const boxes = stages.map(({ voice }) => make("div", { class: "fv-stage-frame", "data-voice": voice }));
  parent.append(
    make("header", { class: "fv-stage-page-head" }, make("h1", {}, title), theme),
    make("div", { class: "fv-stage-frames" }, ...boxes),
    make("footer", { class: "fv fv-stage" }, transport.element, reel.element),
  );

  const views = stages.map((state, i) => {
    // One picture of that name is enough.
    const own = stages.length === 1 && state.title === title ? { title: "" } : {};
    return new StageView(new StillModel({ ...state, ...ON_THE_PAGE, ...own, key: `page ${i}` }), boxes[i]);
  });
  const [first] = views;
  const filmed = views.find((view) => view.film.length > 0) ?? first;
  const update = (player) => {
    transport.element.hidden = player.last === 0;
    transport.update(
      player, first.get("state_names"), stages.length === 1 ? first.get("readout") : null,
      first.unit(), first.get("reversible"),
    );
    reel.update(player, filmed.film.steps);
  };
  document.addEventListener("keydown", (event) => {
    if (event.target === document.body && playerKey(event.key, act)) event.preventDefault();
  });
  clock.join(update, 1);
  update(clock.player);
  return { views, clock };
}
