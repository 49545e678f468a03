// A question with a field for a number.

import { ask, element, takeUp } from "./prediction.js";

let made = 0;

/** The number that is written, with a point or a comma or as a fraction; NaN for none. */
function numberOf(text) {
  const parts = text.trim().replace("−", "-").replaceAll(",", ".").split("/");
  const [above, below = 1] = parts.map((part) => (part.trim() === "" ? NaN : Number(part)));
  return parts.length > 2 ? NaN : above / below;
}

function isNumber(text) {
  return Number.isFinite(numberOf(text));
}

export default {
  render({ model, el }) {
    takeUp(model, ({ text }) => (typeof text === "string" && isNumber(text) ? { text } : null));
    const field = element("div", "fv-predict-number");
    const label = element("label", "fv-predict-question", model.get("question"));
    const row = element("div", "fv-field");
    const input = element("input", "");
    input.id = label.htmlFor = `fv-predict-number-${made++}`;
    input.inputMode = "decimal";
    input.autocomplete = "off";
    const complaint = element("span", "fv-predict-complaint");
    complaint.setAttribute("aria-live", "polite");
    row.append(input, model.get("unit"), complaint);
    field.append(label, row);

    const asked = ask({ model, el }, {
      field,
      names: ["text"],
      draw(committed) {
        if (committed || (model.get("text") === "" && input.disabled)) input.value = model.get("text");
        input.disabled = committed;
      },
      ready: () => input.value.trim() !== "",
      hand() {
        if (isNumber(input.value)) return { text: input.value.trim() };
        complaint.textContent = `“${input.value}” is no number.`;
        return null;
      },
      told: () => ({ kind: "number", answer: numberOf(model.get("text")), unit: model.get("unit") }),
      keep: () => ({ text: model.get("text") }),
    });
    input.addEventListener("input", () => {
      complaint.textContent = "";
      asked.draw();
    });
    return asked.remove;
  },
};
