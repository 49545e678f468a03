// A panel's head: title, what one sees, presets, and the tools that act on the whole panel.

import { copyButton } from "./clipboard.js";

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(className, text, title, onClick) {
  const made = element("button", className, text);
  made.type = "button";
  made.title = title;
  made.addEventListener("click", onClick);
  return made;
}

export default {
  render({ model, el, signal }) {
    el.classList.add("fv-header");
    const set = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };

    const title = element("h2", "fv-title");
    const summary = element("p", "fv-summary");
    const presets = element("div", "fv-presets");
    presets.setAttribute("role", "group");
    presets.setAttribute("aria-label", "Presets");
    const tools = element("div", "fv-tools");
    const code = element("div", "fv-code");
    const lines = element("pre", "");
    lines.tabIndex = 0;
    lines.setAttribute("aria-label", "The code that makes this panel");
    code.append(lines, copyButton("Copy", "Copy these lines", () => model.get("code")));

    const showCode = button("fv-button", "Show code", "The lines of flowviz that make this", () =>
      set("code_shown", !model.get("code_shown")),
    );
    const copied = copyButton(
      "Copy line", "Copy a line of Python that brings this state back", () => model.get("line"),
    );
    const present = button("fv-button", "Present", "Hide the controls; Escape brings them back", () =>
      set("presenting", !model.get("presenting")),
    );
    tools.append(showCode, copied, present);

    function drawPresets() {
      presets.replaceChildren(
        ...model.get("presets").map((label, index) => {
          const chip = button("fv-chip", label, `Set the panel to “${label}”`, () =>
            model.send({ kind: "preset", index }),
          );
          chip.setAttribute("aria-pressed", String(index === model.get("preset")));
          return chip;
        }),
      );
      presets.hidden = model.get("presets").length === 0;
    }

    function markPreset() {
      [...presets.children].forEach((chip, index) =>
        chip.setAttribute("aria-pressed", String(index === model.get("preset"))),
      );
    }

    function draw() {
      title.textContent = model.get("title");
      summary.textContent = model.get("summary");
      const shown = model.get("code_shown");
      code.hidden = !shown;
      lines.textContent = shown ? model.get("code") : "";
      showCode.textContent = shown ? "Hide code" : "Show code";
      showCode.setAttribute("aria-expanded", String(shown));
      const presenting = model.get("presenting");
      present.textContent = presenting ? "Leave" : "Present";
      present.setAttribute("aria-pressed", String(presenting));
    }

    const onKey = (event) => {
      if (event.key === "Escape" && model.get("presenting")) set("presenting", false);
    };
    document.addEventListener("keydown", onKey, { signal });

    const head = element("div", "fv-head");
    head.append(title, tools);
    el.append(head, summary, presets, code);
    const listeners = [
      ["change:presets", drawPresets],
      ["change:preset", markPreset],
      ...["title", "summary", "code", "code_shown", "presenting"].map((n) => [`change:${n}`, draw]),
    ];
    for (const [name, listener] of listeners) model.on(name, listener);
    drawPresets();
    draw();
    return () => {
      document.removeEventListener("keydown", onKey);
      for (const [name, listener] of listeners) model.off(name, listener);
    };
  },
};
