// A button that hands the bytes of a file from the reader's disk to the kernel.

import { followClasses } from "./classes.js";

export default {
  render({ model, el }) {
    el.classList.add("fv-file");
    const leave = followClasses(model, el);
    const input = document.createElement("input");
    input.type = "file";
    input.hidden = true;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fv-button";
    el.append(button, input);

    function describe() {
      const loaded = model.get("loaded");
      button.textContent = model.get("description") + (loaded && `: ${loaded}`);
      button.title = model.get("tooltip");
      input.accept = model.get("accept");
    }

    async function hand() {
      const [file] = input.files;
      if (!file) return;
      const bytes = file.size <= model.get("most_bytes") ? [await file.arrayBuffer()] : [];
      input.value = ""; // so that the same file can be chosen again
      model.send({ name: file.name }, undefined, bytes);
    }

    button.addEventListener("click", () => input.click());
    input.addEventListener("change", hand);
    const words = "change:description change:loaded change:tooltip change:accept";
    model.on(words, describe);
    describe();
    return () => {
      model.off(words, describe);
      leave();
    };
  },
};
