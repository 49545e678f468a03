// Classes that the kernel adds to a widget, or takes away, after it was displayed.

/**
 * Keep them on the element: anywidget drops the listener that the page had for that.
 * Returns what undoes it.
 */
export function followClasses(model, el) {
  let classes = model.get("_dom_classes") ?? [];
  const follow = () => {
    el.classList.remove(...classes);
    classes = model.get("_dom_classes") ?? [];
    el.classList.add(...classes);
  };
  model.on("change:_dom_classes", follow);
  return () => model.off("change:_dom_classes", follow);
}
