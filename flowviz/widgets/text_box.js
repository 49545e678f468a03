// A box for one text that wraps and is as high as its lines; Enter or leaving it hands it over.

import { labelled } from "./labelled.js";

export default {
  render({ model, el }) {
    const [box, leave] = labelled(model, el, "textarea");
    box.className = "fv-text-box";
    box.rows = 1;
    box.spellcheck = false;
    box.autocapitalize = "off";

    function fit() {
      box.style.height = "auto";
      box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
    }

    function follow() {
      if (box.value !== model.get("value")) box.value = model.get("value");
      fit();
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
    model.on("change:value", follow);
    follow();
    return () => {
      sized.disconnect();
      model.off("change:value", follow);
      leave();
    };
  },
};
