// The lines of Python behind a panel; Python writes them only while they are seen.

import { followClasses } from "./classes.js";
import { copyButton } from "./clipboard.js";

export default {
  render({ model, el }) {
    el.classList.add("fv-code");
    const leave = followClasses(model, el);
    const lines = document.createElement("pre");
    lines.tabIndex = 0;
    lines.setAttribute("aria-label", "The code that makes this panel");
    el.append(copyButton("Copy", "Copy these lines", () => model.get("code")), lines);
    const draw = () => { lines.textContent = model.get("code"); };
    const sighted = new IntersectionObserver((entries) => {
      if (model.get("seen") === entries.at(-1).isIntersecting) return;
      model.set("seen", entries.at(-1).isIntersecting);
      model.save_changes();
    });
    sighted.observe(el);
    model.on("change:code", draw);
    draw();
    return () => {
      sighted.disconnect();
      model.off("change:code", draw);
      leave();
    };
  },
};
