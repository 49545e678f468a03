// One plotly figure, made once and then changed in place; it follows the page's theme by itself.

import { askKernel, loadPlotly } from "./loader.js";
import { assemble, coloured, styled } from "./figure.js";

const CONFIG = { displayModeBar: false, displaylogo: false, showTips: false, responsive: false };
const MARKS = ["class", "data-theme", "data-fv-theme", "data-jp-theme-light"];

export default {
  render({ model, el }) {
    el.classList.add("fv-chart");
    const plot = document.createElement("div");
    plot.className = "fv-chart-plot";
    plot.setAttribute("role", "img");
    el.append(plot);

    let Plotly = null;
    let frame = 0;
    let ended = false;
    let drawn = ""; // the theme and size of the last drawing

    const tokens = () => {
      const style = getComputedStyle(el);
      return (name) => style.getPropertyValue(name).trim() || "#808080";
    };

    function say(text) {
      plot.textContent = text;
      plot.classList.toggle("fv-chart-waiting", text !== "");
    }

    async function draw() {
      frame = 0;
      const { clientWidth: width, clientHeight: height } = plot;
      if (ended || !Plotly || width < 2 || height < 2) return;
      const token = tokens();
      const font = token("--fv-font") || getComputedStyle(el).fontFamily;
      const layout = { ...styled(model.get("figure_layout"), font), width, height };
      drawn = look();
      await Plotly.react(
        plot,
        coloured(assemble(model.get("traces"), model.get("arrays")), token),
        coloured(layout, token),
        CONFIG,
      );
    }

    const look = () => `${plot.clientWidth} ${plot.clientHeight} ${tokens()("--fv-ink")}`;
    const ask = () => (frame ||= requestAnimationFrame(draw));
    const askIfLookChanged = () => look() !== drawn && ask();

    const label = () => plot.setAttribute("aria-label", model.get("label"));
    // Not on `el`: its style belongs to the widget's layout.
    const resize = () => (plot.style.height = `${model.get("height")}px`);
    label();
    resize();

    const resized = new ResizeObserver(askIfLookChanged);
    resized.observe(plot);
    const themed = new MutationObserver(askIfLookChanged);
    const watched = { attributes: true, attributeFilter: MARKS };
    const watch = () => {
      for (let node = el; node; node = node.parentElement) themed.observe(node, watched);
    };
    requestAnimationFrame(() => !ended && watch());

    const changes = "change:traces change:arrays change:figure_layout";
    model.on(changes, ask);
    model.on("change:label", label);
    model.on("change:height", resize);

    say("Loading the chart…");
    loadPlotly(() => askKernel(model)).then(
      (loaded) => {
        if (ended) return;
        Plotly = loaded;
        say("");
        ask();
      },
      (error) => {
        say(`The chart could not be loaded: ${error.message}`);
      },
    );

    return () => {
      ended = true;
      cancelAnimationFrame(frame);
      resized.disconnect();
      themed.disconnect();
      model.off(changes, ask);
      model.off("change:label", label);
      model.off("change:height", resize);
      Plotly?.purge(plot);
    };
  },
};
