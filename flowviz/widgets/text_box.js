// A box for one text that wraps and is as high as its lines; Enter or leaving it hands it over.

import { followClasses } from "./classes.js";

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv-control");
    const leave = followClasses(model, el);
    const label = document.createElement("label");
    label.className = "widget-label";
    const box = document.createElement("textarea");
    box.id = `fv-text-${Math.random().toString(36).slice(2)}`;
    box.className = "fv-text-box";
    box.rows = 1;
    box.spellcheck = false;
    box.autocapitalize = "off";
    label.htmlFor = box.id;
    el.append(label, box);

    function fit() {
      box.style.height = "auto";
      box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
    }

    function follow() {
      if (box.value !== model.get("value")) box.value = model.get("value");
      fit();
    }

    function describe() {
      label.textContent = model.get("description");
      el.title = model.get("tooltip");
    }

    function hand() {
      if (box.value === model.get("value")) return;
      model.set("value", box.value);
      model.save_changes();
    }

    box.addEventListener("input", fit);
    box.addEventListener("change", hand);
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      hand();
    });
    // It has no height to fit while it is out of sight.
    let width = 0;
    const sized = new ResizeObserver(() => {
      if (box.clientWidth === width) return;
      width = box.clientWidth;
      fit();
    });
    sized.observe(box);
    const words = "change:description change:tooltip";
    model.on("change:value", follow);
    model.on(words, describe);
    follow();
    describe();
    return () => {
      sized.disconnect();
      model.off("change:value", follow);
      model.off(words, describe);
      leave();
    };
  },
};
