// A control of our own that looks as ipywidgets' do: its name above, itself below.

import { followClasses } from "./classes.js";

/**
 * Put a label and a new element of that tag into `el`; both follow `description` and `tooltip`.
 * Returns the element, and what undoes the following.
 */
export function labelled(model, el, tag) {
  el.classList.add("jupyter-widgets", "fv-control");
  const unfollow = followClasses(model, el);
  const label = document.createElement("label");
  label.className = "widget-label";
  const control = document.createElement(tag);
  control.id = `fv-control-${Math.random().toString(36).slice(2)}`;
  label.htmlFor = control.id;
  el.append(label, control);

  function describe() {
    label.textContent = model.get("description");
    el.title = model.get("tooltip");
  }
  const words = "change:description change:tooltip";
  model.on(words, describe);
  describe();
  const leave = () => {
    model.off(words, describe);
    unfollow();
  };
  return [control, leave];
}
