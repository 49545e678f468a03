// Stages without a kernel: a page that fits its frame and plays by itself, with the player and the
// training scrubber.

import { clockFor } from "./clock.js";
import { make } from "./dom.js";
import { playerKey } from "./player_controls.js";
import { Reel } from "./reel.js";
import { Tally } from "./tally.js";
import { Transport } from "./transport.js";
import { StageView } from "./view.js";

const DEFAULTS = {
  particles: [], grids: [], images: [], contours: [], fields: [], paths: [], shapes: [], lines: [],
  handles: [], film: [], window: [-4, 4, -4, 4], title: "", description: "", state_names: [],
  position: 0, playing: false, speed: 600, loop: false, stretches: 1, direction: "forward",
  unit: "layer", unit_range: [0, 1], reversible: true, strip: false, axes: true, aspect: "equal",
  axis_titles: ["", ""], drawing: "off", drawn: null, probing: false, probe: null, picking: false,
  picked: -1, picked_name: "", readout: null, held: null, carried: {}, coloured: {},
};

/** What the page sets by itself: one bar drives all its stages, each as large as there is room. */
export const ON_THE_PAGE = { clock: "page", transport: false, tools: false, fit: true, max_width: 0 };

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

  on(events, listener) {
    for (const event of events.split(" ")) {
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    }
  }

  off(events, listener) {
    for (const event of events.split(" ")) {
      this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener));
    }
  }
}

/**
 * Show {title, stages: [state, …]} in `parent`, which fills its page: the stages side by side, the
 * player, and the training scrubber where there is a film. It plays from its beginning, over and
 * over, unless less motion is wanted. Returns {views, clock, tally, words, head, frames, saved, say}: `say`
 * puts other words in the place of those that hold at the position `saved` alone.
 *
 * said {summary, words, untrained}: what the page shows; what is seen in the state in which it was
 * saved; what to say where there is no film. bars: as in Tally. makeFoot: what drives the page, as
 * playing does. links: [label, address] of the pages around this one; without address it is this.
 */
export function standalone(
  parent, { title, stages, said = {}, bars = null, links = [] }, makeFoot = playing,
) {
  const root = document.documentElement;
  const choose = (theme) => { root.dataset.fvTheme = theme; };
  choose(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const clock = clockFor(ON_THE_PAGE.clock);
  const act = (change, settled = true) => clock.act(change, settled);

  const foot = makeFoot(act);
  const theme = make("button", {
    type: "button", class: "fv-stage-theme", "aria-label": "Switch between light and dark",
    click: () => choose(root.dataset.fvTheme === "dark" ? "light" : "dark"),
  }, "◐");
  const boxes = stages.map(({ voice }) => make("div", { class: "fv-stage-frame", "data-voice": voice }));
  const words = make("span", {}, said.words ?? "");
  const sentences = make("p", { class: "fv-stage-said" }, `${said.summary ?? ""} `, words);
  sentences.hidden = !said.summary && !said.words;
  const tally = bars?.names.length > 0 ? new Tally(bars) : null;
  const head = make(
    "header", { class: "fv-stage-page-head" }, make("h1", {}, title), sentences, theme,
    ...(links.length > 0 ? [around(links)] : []),
  );
  const frames = make("div", { class: "fv-stage-frames" }, ...boxes, ...(tally ? [tally.element] : []));
  parent.append(
    head,
    frames,
    make(
      "footer", { class: "fv fv-stage fv-panel" }, ...foot.elements,
      ...(said.untrained ? [make("p", { class: "fv-stage-untrained" }, said.untrained)] : []),
    ),
  );

  const views = stages.map((state, i) => {
    // One picture of that name is enough.
    const own = stages.length === 1 && state.title === title ? { title: "" } : {};
    return new StageView(new StillModel({ ...state, ...ON_THE_PAGE, ...own, key: `page ${i}` }), boxes[i]);
  });
  const page = { views, clock, tally, words, head, frames, saved: views[0].get("position") };
  page.say = (text) => {
    page.saved = null;
    if (words.textContent !== text) words.textContent = text; // It is said in every frame.
    words.style.visibility = "";
  };
  const update = (player) => {
    // The sentence is of that state alone.
    const there = player.moment < 0
      && (page.saved === null || Math.abs(player.position - page.saved) < 1e-6);
    words.style.visibility = there ? "" : "hidden";
    tally?.update(player);
    foot.update(player, views);
  };
  document.addEventListener("keydown", (event) => {
    if (event.target === document.body && playerKey(event.key, act)) event.preventDefault();
  });
  clock.join(update, 1);
  if (clock.player.last > 0 && clock.player.tweening) {
    act((p) => {
      p.loop = true;
      p.toStart();
      p.play();
    }, false);
  } else update(clock.player);
  return page;
}

/** The way to the pages around this one. */
function around(links) {
  return make("nav", { class: "fv-stage-links", "aria-label": "Pages" }, ...links.map(
    ([label, href]) => make("a", href ? { href } : { "aria-current": "page" }, label),
  ));
}

/** The player and the training scrubber of a page that plays what was recorded. */
function playing(act) {
  const transport = new Transport({
    act,
    onKey: (event) => {
      if (playerKey(event.key, act)) event.preventDefault();
    },
  });
  const reel = new Reel({ act, live: "end" });
  const update = (player, views) => {
    const [first] = views;
    const filmed = views.find((view) => view.film.length > 0) ?? first;
    transport.element.hidden = player.last === 0;
    transport.update(
      player, first.get("state_names"), views.length === 1 ? first.get("readout") : null,
      first.unit(), first.get("reversible"),
    );
    reel.update(player, filmed.film.steps);
  };
  return { elements: [transport.element, reel.element], update };
}
