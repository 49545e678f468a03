// One plotly figure, made once and then changed in place; it follows the page's theme by itself.

import { assemble, coloured, styled } from "./figure.js";
import { askKernel, loadPlotly } from "./loader.js";
import { textWidths } from "./text.js";

const CONFIG = { displayModeBar: false, displaylogo: false, showTips: false, responsive: false };
const MARKS = ["class", "data-theme", "data-fv-theme", "data-jp-theme-light"];

/** A chart on the page; a subclass says what its model's figure is, and hears when it is drawn. */
export class ChartView {
  /** `drawnFrom`: the traits that the figure is made of. */
  constructor(model, el, drawnFrom) {
    this.model = model;
    this.el = el;
    this.Plotly = null;
    this.frame = 0;
    this.last = ""; // the theme and size of the last drawing
    this.ends = []; // what undoes everything, for remove()
    this.ask = () => { this.frame ||= requestAnimationFrame(() => this.draw()); };
    this.build();
    this.listen(drawnFrom);
    this.load();
  }

  get(name) {
    return this.model.get(name);
  }

  /**
   * What plotly draws at size {width, height}: {traces, layout}, colours still as tokens.
   * widthOf(text, px) measures a text, token(name) is a colour.
   */
  figure() {
    return {
      traces: assemble(this.get("traces"), this.get("arrays")),
      layout: this.get("figure_layout"),
    };
  }

  /** The figure has been drawn. */
  drawn() {}

  build() {
    this.el.classList.add("fv-chart");
    this.plot = document.createElement("div");
    this.plot.className = "fv-chart-plot";
    this.plot.setAttribute("role", "img");
    this.drawing = document.createElement("div"); // plotly's own, at scale 1
    this.drawing.className = "fv-chart-drawing";
    this.plot.append(this.drawing);
    this.el.append(this.plot);
    this.relabel();
    this.resize();
  }

  relabel() {
    this.plot.setAttribute("aria-label", this.get("label"));
  }

  // Not on `el`: its style belongs to the widget's layout.
  resize() {
    const height = this.get("height");
    this.el.classList.toggle("fv-chart-filling", height === 0);
    this.plot.style.height = height === 0 ? "" : `${height}px`;
  }

  listen(drawnFrom) {
    this.on(drawnFrom.map((name) => `change:${name}`).join(" "), this.ask);
    this.on("change:label", () => this.relabel());
    this.on("change:height", () => this.resize());
    const askIfLookChanged = () => { if (this.look() !== this.last) this.ask(); };
    const resized = new ResizeObserver(askIfLookChanged);
    resized.observe(this.plot);
    const themed = new MutationObserver(askIfLookChanged);
    const watched = { attributes: true, attributeFilter: MARKS };
    const watch = requestAnimationFrame(() => { // not on the page before
      for (let node = this.el; node; node = node.parentElement) themed.observe(node, watched);
    });
    this.ends.push(() => {
      cancelAnimationFrame(watch);
      cancelAnimationFrame(this.frame);
      resized.disconnect();
      themed.disconnect();
    });
  }

  /** Hears of the model until the view is removed. */
  on(events, run) {
    this.model.on(events, run);
    this.ends.push(() => this.model.off(events, run));
  }

  async load() {
    const say = (text) => {
      this.drawing.textContent = text;
      this.plot.classList.toggle("fv-chart-waiting", text !== "");
    };
    say("Loading the chart…");
    try {
      const Plotly = await loadPlotly(() => askKernel(this.model));
      if (this.removed) return;
      say("");
      this.Plotly = Plotly;
      this.ask();
    } catch (error) {
      say(`The chart could not be loaded: ${error.message}`);
    }
  }

  tokens() {
    const style = getComputedStyle(this.el);
    return (name) => style.getPropertyValue(name).trim() || "#808080";
  }

  /** How many pixels one of plotly's takes: more where a room is to read it. */
  get scale() {
    return Number(this.tokens()("--fv-chart-scale")) || 1;
  }

  look() {
    const { clientWidth, clientHeight } = this.plot;
    return `${clientWidth} ${clientHeight} ${this.scale} ${this.tokens()("--fv-ink")}`;
  }

  /** Where plotly has x and y, its axes; nothing before the first drawing. */
  get axes() {
    const { xaxis, yaxis } = this.drawing._fullLayout ?? {};
    return { xaxis, yaxis };
  }

  /** How far an event is along the x axis, in plotly's pixels. */
  along(event) {
    const { left } = this.plot.getBoundingClientRect();
    return (event.clientX - left) / this.scale - this.axes.xaxis._offset;
  }

  async draw() {
    this.frame = 0;
    const { scale } = this;
    const size = {
      width: Math.floor(this.plot.clientWidth / scale),
      height: Math.floor(this.plot.clientHeight / scale),
    };
    if (this.removed || !this.Plotly) return;
    if (size.width < 2 || size.height < 2) {
      this.last = ""; // out of sight: to be drawn when it is seen again, be it of the size it had
      return;
    }
    this.last = this.look();
    const token = this.tokens();
    const font = token("--fv-font") || getComputedStyle(this.el).fontFamily;
    const { traces, layout } = this.figure(size, textWidths(font), token);
    this.drawing.style.transform = scale === 1 ? "" : `scale(${scale})`;
    await this.Plotly.react(
      this.drawing,
      coloured(traces, token),
      coloured({ ...styled(layout, font), ...size }, token),
      CONFIG,
    );
    if (!this.removed) this.drawn();
  }

  remove() {
    this.removed = true;
    for (const end of this.ends) end();
    this.Plotly?.purge(this.drawing);
  }
}
