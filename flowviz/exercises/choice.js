// A question with radio buttons.

import { ask, element, takeUp } from "./prediction.js";

let made = 0; // radio buttons of one question share a name that no other question has

export default {
  render({ model, el }) {
    takeUp(model, ({ option }) => {
      const chosen = model.get("options").indexOf(option);
      return chosen < 0 ? null : { chosen };
    });
    const name = `fv-predict-${made++}`;
    const field = element("fieldset", "fv-predict-options");
    field.append(element("legend", "fv-predict-question", model.get("question")));
    const options = model.get("options").map((text, index) => {
      const label = element("label", "fv-predict-option");
      const radio = element("input", "");
      radio.type = "radio";
      radio.name = name;
      radio.value = String(index);
      radio.addEventListener("change", () => {
        model.set("chosen", index);
        model.save_changes();
      });
      const mark = element("span", "fv-predict-mark");
      label.append(radio, element("span", "fv-predict-text", text), mark);
      field.append(label);
      return { label, radio, mark };
    });

    function draw(committed, verdict) {
      const chosen = model.get("chosen");
      options.forEach(({ label, radio, mark }, index) => {
        radio.checked = index === chosen;
        radio.disabled = committed;
        const right = verdict !== "" && index === model.get("answer");
        const wrong = verdict === "wrong" && index === chosen;
        label.classList.toggle("fv-predict-right", right);
        label.classList.toggle("fv-predict-wrong", wrong);
        mark.textContent = right ? "✓ right" : wrong ? "✗ your answer" : "";
      });
    }

    const asked = ask({ model, el }, {
      field,
      names: ["chosen", "answer"],
      draw,
      ready: () => model.get("chosen") >= 0,
      hand: () => ({}),
      told: () => ({ kind: "choice", answer: model.get("chosen"), options: model.get("options") }),
      keep: () => ({ option: model.get("options")[model.get("chosen")] }),
    });
    return asked.remove;
  },
};
