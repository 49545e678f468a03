// A question with radio buttons, a button to commit, and the reason that appears afterwards.

let made = 0; // radio buttons of one question share a name that no other question has

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

export default {
  render({ model, el }) {
    el.classList.add("jupyter-widgets", "fv", "fv-predict");
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
    form.append(field, commit, answer);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (model.get("committed") || model.get("chosen") < 0) return;
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
      if (verdict === "" || answer.childElementCount) return;
      const words = verdict === "right" ? "✓ You predicted it." : "✗ It turns out otherwise.";
      const hadFocus = el.contains(document.activeElement) || document.activeElement === document.body;
      answer.append(element("strong", "", words), element("p", "", model.get("why")));
      if (hadFocus) answer.focus({ preventScroll: true });
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
