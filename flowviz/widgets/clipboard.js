// Copying text, and the button that does it.

/** Put text on the clipboard; throws where the browser does not allow it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages without a secure origin have no clipboard interface; the old command works there.
    const area = document.createElement("textarea");
    area.className = "fv-unseen";
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("the browser did not allow copying");
  }
}

/** A button that copies what `text()` returns, and says so for a moment. */
export function copyButton(label, title, text) {
  const button = document.createElement("button");
  button.className = "fv-button";
  button.type = "button";
  button.textContent = label;
  button.title = title;
  button.setAttribute("aria-live", "polite");
  let timer = 0;
  const flash = (said) => {
    clearTimeout(timer);
    button.textContent = said;
    timer = setTimeout(() => { button.textContent = label; }, 1600);
  };
  button.addEventListener("click", () =>
    copy(text()).then(() => flash("Copied"), () => flash("Not allowed here")),
  );
  return button;
}
