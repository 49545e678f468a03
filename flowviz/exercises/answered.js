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
      const elsewhere = model.get("elsewhere").filter((key) => !all.has(key)).length;
      const done = Math.min(all.size, total);
      bar.max = total - elsewhere;
      bar.value = done;
      const more = elsewhere === 1 ? "1 is a programme" : `${elsewhere} are programmes`;
      words.textContent = `${done} of ${total} answered${elsewhere ? `; ${more}, for JupyterLab` : ""}`;
    }

    const changes = "change:answered change:forgotten change:elsewhere";
    model.on(changes, draw);
    draw();
    return () => model.off(changes, draw);
  },
};
