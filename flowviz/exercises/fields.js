// Fields for numbers, or radio buttons for a choice, with a button to check them. What was handed in
// is kept in the browser.

import { read, write } from "./storage.js";

let made = 0;

function node(tag, className, text = "") {
  const one = document.createElement(tag);
  one.className = className;
  one.textContent = text;
  return one;
}

/** A field for each number: {field, texts(), set(texts)}. */
function numbers(labels) {
  const field = node("div", "");
  const inputs = labels.map((text) => {
    const label = node("label", "fv-field");
    const input = node("input", "");
    input.id = `fv-field-${made++}`;
    input.inputMode = "decimal";
    input.autocomplete = "off";
    label.append(text, input);
    field.append(label);
    return input;
  });
  return {
    field,
    texts: () => inputs.map((input) => input.value),
    set(texts) { inputs.forEach((input, index) => { input.value = texts[index] ?? ""; }); },
  };
}

/** Radio buttons, as {field, texts(), set(texts)}. */
function choice(options, title) {
  const field = node("fieldset", "fv-predict-options");
  field.setAttribute("aria-label", title);
  const name = `fv-choice-${made++}`;
  const radios = options.map((text) => {
    const label = node("label", "fv-predict-option");
    const radio = node("input", "");
    radio.type = "radio";
    radio.name = name;
    radio.value = text;
    label.append(radio, node("span", "fv-predict-text", text));
    field.append(label);
    return radio;
  });
  return {
    field,
    texts: () => radios.filter((radio) => radio.checked).map((radio) => radio.value),
    set(texts) { for (const radio of radios) radio.checked = texts.includes(radio.value); },
  };
}

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv", "fv-predict", "fv-fields");
    const place = `flowviz.answer.${model.get("name")}`;
    const before = read(place);
    const known = Array.isArray(before) && before.every((text) => typeof text === "string");

    const form = node("form", "fv-predict-form");
    const options = model.get("options");
    const answered = options.length ? choice(options, "Your answer") : numbers(model.get("labels"));
    answered.set(model.get("texts").length ? model.get("texts") : known ? before : []);
    const check = node("button", "fv-predict-commit", "Check");
    check.type = "submit";
    const answer = node("div", "");
    answer.setAttribute("aria-live", "polite");
    form.append(answered.field, check, answer);

    const hand = () => {
      model.set("texts", answered.texts());
      model.save_changes();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      write(place, answered.texts());
      hand();
    });
    form.addEventListener("keydown", (event) => event.stopPropagation());

    const draw = () => { answer.innerHTML = model.get("answer"); };
    el.append(form);
    model.on("change:answer", draw);
    draw();
    if (known && model.get("texts").length === 0) hand();
    return () => model.off("change:answer", draw);
  },
};
