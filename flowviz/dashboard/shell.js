// The shell around the panels: menu, colours, notices, and the page's address.

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function button(text, title, onClick) {
  const made = element("button", "fv-button", text);
  made.type = "button";
  made.title = title;
  made.addEventListener("click", onClick);
  return made;
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
  const link = (query) => `${location.origin}${location.pathname}?${query}`;

  // The top bar.
  const skip = element("a", "fv-skip", "Skip to the panel");
  skip.href = "#";
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    const main = el.closest(".fv-dash").querySelector(".fv-main");
    main.tabIndex = -1;
    main.focus();
  });
  const menu = button("☰", "Panels", () => openMenu(!nav.classList.contains("fv-open")));
  menu.classList.add("fv-menu");
  menu.setAttribute("aria-controls", "fv-nav");
  menu.setAttribute("aria-label", "Panels");
  const name = element("h1", "fv-name", "flowviz");

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
  const bar = element("header", "fv-topbar", skip, menu, name, theme);

  // The menu.
  const nav = element("nav", "fv-rail");
  nav.id = "fv-nav";
  nav.setAttribute("aria-label", "Panels");
  const items = new Map();
  function drawMenu() {
    nav.replaceChildren();
    items.clear();
    for (const group of model.get("groups")) {
      const heading = element("h2", "", group.title);
      const list = element("ul", "");
      for (const { name: panel, title } of group.panels) {
        const item = element(ours ? "a" : "button", "fv-item", title);
        if (ours) item.href = `?panel=${encodeURIComponent(panel)}`;
        else item.type = "button";
        item.addEventListener("click", (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
          event.preventDefault();
          openMenu(false);
          model.send({ kind: "open", panel });
        });
        items.set(panel, item);
        list.append(element("li", "", item));
      }
      nav.append(heading, list);
    }
    const lessons = document.body.dataset.fvLessons;
    if (lessons) {
      const more = element("a", "fv-item", "Lessons");
      more.href = lessons;
      nav.append(element("h2", "", "Course"), element("ul", "", element("li", "", more)));
    }
    nav.append(element("p", "fv-about", model.get("about")));
    markCurrent();
  }
  function markCurrent() {
    for (const [panel, item] of items) {
      if (panel === model.get("current")) item.setAttribute("aria-current", "page");
      else item.removeAttribute("aria-current");
    }
    const title = items.get(model.get("current"))?.textContent;
    if (ours && title) document.title = `${title} · flowviz`;
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
  const notice = element("div", "fv-note-bar");
  notice.setAttribute("role", "status");
  function drawNotice() {
    const text = model.get("notice");
    notice.hidden = !text;
    notice.replaceChildren(
      element("p", "", text),
      button("Dismiss", "Take this message away", () => set("notice", "")),
    );
  }
  // The address.
  let timer = 0;
  function writeAddress() {
    clearTimeout(timer);
    const query = model.get("query");
    if (!ours || !query) return;
    if (isStep(location.search, query)) history.pushState(null, "", link(query));
    // Browsers refuse more than a few changes a second, and a drag makes more.
    else timer = setTimeout(() => history.replaceState(null, "", link(query)), 250);
  }
  if (ours) {
    addEventListener(
      "popstate",
      () => {
        clearTimeout(timer);
        model.send({ kind: "address", query: location.search });
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

  el.append(bar, nav, notice);
  const listeners = [
    ["change:groups", drawMenu],
    ["change:current", markCurrent],
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
    closing.abort();
    observer.disconnect();
    for (const [event, listener] of listeners) model.off(event, listener);
  };
}

export default { render };
