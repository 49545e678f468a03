// Tells Python whether the page is dark, and again only when that changes.

const MARKS = ["data-theme", "data-fv-theme", "data-jp-theme-light"];

// The answer is the stylesheet's own: whatever rule makes .fv dark also sets its colour scheme.
function isDark(el) {
  return getComputedStyle(el).colorScheme === "dark";
}

export default {
  render({ model, el }) {
    el.classList.add("fv", "fv-theme");
    const report = () => {
      if (!el.isConnected) return;
      const dark = isDark(el);
      if (dark === model.get("dark")) return;
      model.set("dark", dark);
      model.save_changes();
    };
    const observer = new MutationObserver(report);
    const options = { attributes: true, attributeFilter: MARKS };
    observer.observe(document.documentElement, options);
    observer.observe(document.body, options);
    // The style sheet and the element itself arrive a moment after this call.
    const frame = requestAnimationFrame(() => {
      const root = el.closest(".fv-panel");
      if (root) observer.observe(root, options);
      report();
    });
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
    };
  },
};
