// The shell around the panels: menu, colours, notices, and the page's address.

import { hear, tell } from "../widgets/signals.js";
import { make } from "../widgets/stage/dom.js";
import { Frame } from "./frame.js";

function button(text, title, click) {
  return make("button", { type: "button", class: "fv-button", title, click }, text);
}

// The address belongs to the dashboard where it is the page; in a notebook it is the notebook's.
export function ownsThePage() {
  return document.body.dataset.voila !== undefined;
}

// Whether going from one query to the other is a step that Back undoes: only a change of panel.
export function isStep(from, to) {
  const panel = (query) => new URLSearchParams(query).get("panel");
  return panel(from) !== null && panel(from) !== panel(to);
}

function render({ model, el }) {
  const ours = ownsThePage();
  const closing = new AbortController();
  const { signal } = closing;
  el.classList.add("fv-shell");
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  // Where the page has taken the token out of its address, it does without (serving's token.js).
  const link = (query) => {
    const token = new URLSearchParams(location.search).get("token");
    const kept = token ? `&${new URLSearchParams({ token })}` : "";
    return `${location.origin}${location.pathname}?${query}${kept}`;
  };

  // The top bar.
  const skipTo = (event) => {
    event.preventDefault();
    const main = el.closest(".fv-dash").querySelector(".fv-main");
    main.tabIndex = -1;
    main.focus();
  };
  const skip = make("a", { class: "fv-skip", href: "#", click: skipTo }, "Skip to the panel");
  const menu = button("☰", "Panels", () => openMenu(!nav.classList.contains("fv-open")));
  menu.classList.add("fv-menu");
  menu.setAttribute("aria-controls", "fv-nav");
  menu.setAttribute("aria-label", "Panels");
  const name = make("h1", { class: "fv-name" }, "flowviz");

  const theme = button("", "", () => {
    document.documentElement.dataset.fvTheme = isDark() ? "light" : "dark";
    drawTheme();
  });
  theme.classList.add("fv-theme-switch");
  const isDark = () => getComputedStyle(bar).colorScheme === "dark";
  function drawTheme() {
    const dark = isDark();
    theme.textContent = dark ? "☀" : "☾";
    theme.title = dark ? "Light colours" : "Dark colours";
    theme.setAttribute("aria-label", theme.title);
  }
  const bar = make("header", { class: "fv-topbar" }, skip, menu, name, theme);

  // The menu.
  const nav = make("nav", { class: "fv-rail", id: "fv-nav", "aria-label": "Panels" });
  const items = new Map();
  function drawMenu() {
    nav.replaceChildren();
    items.clear();
    for (const group of model.get("groups")) {
      const heading = make("h2", {}, group.title);
      const list = make("ul");
      for (const { name: panel, title } of group.panels) {
        const click = (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
          event.preventDefault();
          openMenu(false);
          goTo(panel);
          model.send({ kind: "open", panel });
        };
        const way = ours ? { href: `?panel=${encodeURIComponent(panel)}` } : { type: "button" };
        const item = make(ours ? "a" : "button", { class: "fv-item", ...way, click }, title);
        items.set(panel, item);
        list.append(make("li", {}, item));
      }
      nav.append(heading, list);
    }
    const lessons = document.body.dataset.fvLessons;
    if (lessons) {
      const more = make("a", { class: "fv-item", href: lessons }, "Lessons");
      nav.append(make("h2", {}, "Course"), make("ul", {}, make("li", {}, more)));
    }
    nav.append(make("p", { class: "fv-about" }, model.get("about")));
    markCurrent();
  }
  function markCurrent() {
    const current = wanted ?? model.get("current");
    for (const [panel, item] of items) {
      if (panel === current) item.setAttribute("aria-current", "page");
      else item.removeAttribute("aria-current");
    }
    const title = items.get(current)?.textContent;
    if (ours && title) document.title = `${title} · flowviz`;
  }
  // What was chosen is marked and framed at once, whatever the kernel is at.
  let wanted = null; // what was chosen, until the kernel says that it is at it
  const frame = new Frame(el);
  const known = new Set([model.get("shown")]);
  function goTo(panel) {
    wanted = panel === model.get("current") ? null : panel;
    markCurrent();
    if (panel === model.get("shown")) return frame.remove();
    const named = model.get("groups").flatMap(({ panels }) => panels).find(({ name: one }) => one === panel);
    return frame.put(named, known.has(panel));
  }
  function followKernel() {
    if (model.get("current") === wanted) wanted = null;
    markCurrent();
  }
  function showPanel() {
    const panel = model.get("shown");
    known.add(panel);
    if (!wanted) frame.giveWay(items.get(panel)?.textContent);
  }
  function openMenu(open) {
    nav.classList.toggle("fv-open", open);
    menu.setAttribute("aria-expanded", String(open));
    if (open) nav.querySelector("[aria-current], .fv-item")?.focus();
  }
  function markPresenting() {
    el.closest(".fv-dash")?.classList.toggle("fv-presenting", model.get("presenting"));
  }

  // The notice.
  const notice = make("div", { class: "fv-note-bar", role: "status" });
  function drawNotice() {
    const text = model.get("notice");
    notice.hidden = !text;
    notice.replaceChildren(
      make("p", {}, text),
      button("Dismiss", "Take this message away", () => set("notice", "")),
    );
  }
  // The address.
  // Tells "address" (the query) in the page, and goes where a "visit" (the query) asks for.
  let timer = 0;
  const visit = (query) => {
    const panel = new URLSearchParams(query).get("panel");
    if (items.has(panel)) goTo(panel);
    model.send({ kind: "address", query });
  };
  function writeAddress() {
    clearTimeout(timer);
    const query = model.get("query");
    if (!ours || !query) return;
    tell("address", query);
    if (isStep(location.search, query)) history.pushState(null, "", link(query));
    // Browsers refuse more than a few changes a second, and a drag makes more.
    else timer = setTimeout(() => history.replaceState(null, "", link(query)), 250);
  }
  if (ours) {
    addEventListener(
      "popstate",
      () => {
        clearTimeout(timer);
        visit(location.search);
      },
      { signal },
    );
  }

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      if (nav.classList.contains("fv-open")) {
        openMenu(false);
        menu.focus();
      }
    },
    { signal },
  );
  document.addEventListener(
    "pointerdown",
    (event) => {
      if (!nav.contains(event.target) && !menu.contains(event.target)) openMenu(false);
    },
    { signal },
  );

  const unhear = hear("visit", (query) => {
    visit(query);
    return true;
  });

  el.append(bar, nav, notice);
  const listeners = [
    ["change:groups", drawMenu],
    ["change:current", followKernel],
    ["change:shown", showPanel],
    ["change:presenting", markPresenting],
    ["change:notice", drawNotice],
    ["change:query", writeAddress],
  ];
  for (const [event, listener] of listeners) model.on(event, listener);
  const observer = new MutationObserver(drawTheme);
  observer.observe(document.documentElement, { attributeFilter: ["data-fv-theme"] });
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  drawMenu();
  openMenu(false);
  drawNotice();
  markPresenting();
  writeAddress();
  requestAnimationFrame(drawTheme); // the style sheet arrives a moment after this call
  model.send({ kind: "ready" });
  return () => {
    clearTimeout(timer);
    unhear();
    closing.abort();
    frame.remove();
    observer.disconnect();
    for (const [event, listener] of listeners) model.off(event, listener);
  };
}

export default { render };
