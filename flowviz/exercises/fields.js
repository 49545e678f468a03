// Fields for numbers with a button to check them. What was handed in is kept in the browser.

const storage = (action) => {
  try {
    return action(localStorage);
  } catch {
    return null; // a private window, a frame: nothing is kept
  }
};

let made = 0;

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv", "fv-predict", "fv-fields");
    const place = `flowviz.answer.${model.get("name")}`;
    const before = storage((s) => JSON.parse(s.getItem(place)));
    const known = Array.isArray(before) && before.every((text) => typeof text === "string");

    const form = document.createElement("form");
    form.className = "fv-predict-form";
    const inputs = model.get("labels").map((text, index) => {
      const label = document.createElement("label");
      label.className = "fv-field";
      const input = document.createElement("input");
      input.id = `fv-field-${made++}`;
      input.inputMode = "decimal";
      input.autocomplete = "off";
      input.value = model.get("texts")[index] ?? (known ? before[index] ?? "" : "");
      label.append(text, input);
      form.append(label);
      return input;
    });
    const check = document.createElement("button");
    check.type = "submit";
    check.className = "fv-predict-commit";
    check.textContent = "Check";
    const answer = document.createElement("div");
    answer.setAttribute("aria-live", "polite");
    form.append(check, answer);

    const texts = () => inputs.map((input) => input.value);
    const hand = () => {
      model.set("texts", texts());
      model.save_changes();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      storage((s) => s.setItem(place, JSON.stringify(texts())));
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
