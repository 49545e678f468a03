// A question with radio buttons, a button to commit, and the reason that appears once it is time.
// What was committed to is kept in the browser, for a page that is loaded again has a new kernel.

let made = 0; // radio buttons of one question share a name that no other question has

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** What is kept of an answer, as the model has it: null for none, or of other options. */
export function kept(text, options) {
  try {
    const { option, tried } = JSON.parse(text);
    const chosen = options.indexOf(option);
    return chosen < 0 ? null : { chosen, committed: true, tried: tried === true };
  } catch {
    return null;
  }
}

// Where the browser keeps nothing (a private window, a frame), nothing is kept.
const storage = (action) => {
  try {
    return action(localStorage);
  } catch {
    return null;
  }
};

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv", "fv-predict");
    const place = `flowviz.predict.${model.get("question")}`;
    const name = `fv-predict-${made++}`;

    const form = element("form", "fv-predict-form");
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
    const commit = element("button", "fv-predict-commit", "Commit");
    commit.type = "submit";
    const answer = element("div", "fv-predict-answer");
    answer.setAttribute("role", "status");
    answer.tabIndex = -1;
    const again = element("button", "fv-predict-again", "Ask me again");
    again.type = "button";
    again.addEventListener("click", () => {
      storage((s) => s.removeItem(place));
      model.send({ kind: "again" });
    });
    form.append(field, commit, answer, again);
    let waits = false; // for what answers the commitment, to read it out
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (model.get("committed") || model.get("chosen") < 0) return;
      waits = true;
      model.set("committed", true);
      model.save_changes();
    });

    // JupyterLab's notebook has keys of its own: arrows and Enter here are for the question.
    const keep = (event) => event.stopPropagation();
    form.addEventListener("keydown", keep);

    function draw() {
      const chosen = model.get("chosen");
      const committed = model.get("committed");
      const verdict = model.get("verdict");
      options.forEach(({ label, radio, mark }, index) => {
        radio.checked = index === chosen;
        radio.disabled = committed;
        const right = verdict !== "" && index === model.get("answer");
        const wrong = verdict === "wrong" && index === chosen;
        label.classList.toggle("fv-predict-right", right);
        label.classList.toggle("fv-predict-wrong", wrong);
        mark.textContent = right ? "✓ right" : wrong ? "✗ your answer" : "";
      });
      commit.disabled = chosen < 0;
      commit.hidden = committed;
      again.hidden = verdict === "";
      const said = saying(committed, verdict);
      const unsaid = answer.textContent !== said.join("");
      if (unsaid) {
        const [words, why] = said;
        answer.replaceChildren(...(words ? [element("strong", "", words), element("p", "", why)] : []));
      }
      if (committed) {
        const option = model.get("options")[chosen];
        storage((s) => s.setItem(place, JSON.stringify({ option, tried: verdict !== "" || model.get("tried") })));
      }
      if (waits && unsaid && said[0]) {
        waits = false;
        answer.focus({ preventScroll: true });
      }
    }

    function saying(committed, verdict) {
      if (verdict === "right") return ["✓ You predicted it.", model.get("why")];
      if (verdict === "wrong") return ["✗ It turns out otherwise.", model.get("why")];
      const experiment = model.get("experiment");
      return committed && experiment ? ["Your prediction stands.", experiment] : ["", ""];
    }

    const before = storage((s) => kept(s.getItem(place), model.get("options")));
    if (before && !model.get("committed")) {
      model.set(before);
      model.save_changes();
    }
    el.append(form);
    const names = ["chosen", "committed", "verdict", "answer", "why"];
    for (const each of names) model.on(`change:${each}`, draw);
    draw();
    return () => {
      for (const each of names) model.off(`change:${each}`, draw);
    };
  },
};
