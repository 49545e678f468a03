// The numbers of small layers, turned by hand in a page of its own: a slider each, at its head.

import { make } from "../stage/dom.js";

/** Sliders go from −REACH to REACH, further where the number lies further; adjust_layer.py has the same. */
const REACH = 4;
const STEP = 0.01;

export class Turning {
  /**
   * @param {Live} live what carries and trains; its first flow is turned.
   * @param {Array<{title: string, numbers: Array<{label: string, place: number}>}>} layers those
   *   that have sliders; a place is one in the vector of what the flow has learned.
   */
  constructor(live, layers) {
    this.live = live;
    this.layers = layers;
    this.menu = make(
      "select", { "aria-label": "Adjust a layer", change: () => this.choose() },
      ...layers.map(({ title }) => make("option", {}, title)),
    );
    this.sliders = make("div", {});
    this.element = make(
      "details", { class: "fv-stage-turning" },
      make("summary", {}, "Adjust a layer"), make("div", {}, this.menu, this.sliders),
    );
    this.choose();
  }

  /** Show the sliders of the chosen layer. */
  choose() {
    const { live } = this;
    const { numbers } = this.layers[this.menu.selectedIndex];
    this.shown = numbers.map(({ label, place }) => {
      const track = make("input", { type: "range", step: STEP, "aria-label": label });
      const value = make("output", {});
      track.addEventListener("input", () => this.turn(place, track.valueAsNumber));
      // Released: what was drawn seldom meanwhile is drawn as it is now.
      track.addEventListener("change", () => live.learn(live.training.learned));
      return { place, track, value, row: make("label", {}, make("span", {}, label), value, track) };
    });
    this.sliders.replaceChildren(...this.shown.map(({ row }) => row));
    this.update();
  }

  turn(place, value) {
    const { live } = this;
    live.page.clock.act((p) => p.seekMoment(-1), false);
    live.training.turn(place, value);
    live.unsaid();
    live.learn(live.training.learned, true);
  }

  /** Follow what the flow has learned; while it is trained nothing is turned. */
  update() {
    const { vector } = this.live.flows[0].parameters;
    const { runs } = this.live.training;
    for (const { place, track, value } of this.shown) {
      const now = vector[place];
      const far = Math.max(REACH, Math.ceil(Math.abs(now)));
      Object.assign(track, { min: -far, max: far, value: now, disabled: runs });
      value.textContent = Number(now.toPrecision(3)).toString().replace("-", "−");
    }
  }
}
