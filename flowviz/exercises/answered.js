// One line that says how much of a lesson is answered; kept under the lesson's name.

import { read, write } from "./storage.js";

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv", "fv-answered");
    el.setAttribute("role", "status");
    const place = `flowviz.progress.${model.get("lesson")}`;
    const bar = document.createElement("progress");
    const words = document.createElement("span");
    bar.setAttribute("aria-hidden", "true");
    el.append(bar, words);

    function draw() {
      const kept = read(place)?.answered;
      const all = new Set([...(Array.isArray(kept) ? kept : []), ...model.get("answered")]);
      for (const key of model.get("forgotten")) all.delete(key);
      const total = model.get("total");
      write(place, { answered: [...all], total });
      bar.max = total;
      bar.value = Math.min(all.size, total);
      words.textContent = `${bar.value} of ${total} answered`;
    }

    model.on("change:answered", draw);
    model.on("change:forgotten", draw);
    draw();
    return () => {
      model.off("change:answered", draw);
      model.off("change:forgotten", draw);
    };
  },
};
