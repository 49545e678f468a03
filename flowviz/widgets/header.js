// A panel's head: title, presets, what one sees, and the menu that takes the panel elsewhere.

import { copy } from "./clipboard.js";
import { followClasses } from "./classes.js";
import { download, savePng } from "./stage/export.js";
import { find } from "./stage/registry.js";

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

/** The link of a panel on the dashboard that shows it; null where there is no such page. */
export function linkOf(query, el) {
  if (document.body.dataset.voila === undefined || !el.closest(".fv-dash")) return null;
  return `${location.origin}${location.pathname}?${query}`;
}

/** In a notebook the presented panel takes the whole screen; on the dashboard the page is its own. */
async function fill(el) {
  if (el.closest(".fv-dash")) return;
  try {
    await el.closest(".fv-panel").requestFullscreen();
  } catch {
    // Refused, in a frame say: it takes as much of the notebook as it can.
  }
}

export default {
  render({ model, el }) {
    el.classList.add("fv-header");
    const leave = followClasses(model, el);
    const ends = [leave];
    const set = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };

    const title = element("h2", "fv-title");
    const presets = element("div", "fv-presets");
    presets.setAttribute("role", "group");
    presets.setAttribute("aria-label", "Presets");
    // On a narrow page the chips are one menu.
    const choice = element("select", "fv-preset-choice");
    choice.setAttribute("aria-label", "Presets");
    choice.addEventListener("change", () => {
      if (choice.value !== "") model.send({ kind: "preset", index: Number(choice.value) });
    });
    const said = element("p", "fv-sentences");
    const summary = element("span", "fv-summary");
    const words = element("span", "fv-now");
    words.setAttribute("aria-live", "polite");
    // In the head where there is room, else after the sentences.
    const invitation = element("strong", "fv-invitation fv-invitation-wide");
    const below = element("strong", "fv-invitation fv-invitation-narrow");
    const told = element("span", "fv-told");
    told.append(summary, " ", words);
    said.append(told, below);

    // ---- the menu ----------------------------------------------------------------------------

    const tools = element("div", "fv-tools");
    const present = button("fv-button fv-present-button", "Present", "", () => {
      const presenting = !model.get("presenting");
      if (presenting) fill(el);
      set("presenting", presenting);
    });
    const more = button("fv-button fv-more-button", "⋯", "Save, copy, show the code", () => open(menu.hidden));
    more.setAttribute("aria-label", "More: save, copy, show the code");
    more.setAttribute("aria-haspopup", "menu");
    const menu = element("div", "fv-menu-list");
    menu.setAttribute("role", "menu");
    menu.hidden = true;
    const note = element("span", "fv-unseen");
    note.setAttribute("role", "status");
    tools.append(present, more, menu, note);

    const views = () => model.get("stages").map(find).filter(Boolean);
    const flash = (text) => {
      note.textContent = text;
      more.textContent = "✓";
      setTimeout(() => { more.textContent = "⋯"; }, 1200);
    };
    const link = () => linkOf(model.get("query"), el);
    const entries = [
      ["Picture (PNG)", () => savePng(views(), model.get("file"))],
      ["Page of its own (HTML)", () => {
        note.textContent = "Preparing the page …";
        model.send({ kind: "page" });
      }],
      [link() ? "Copy link, without the token" : "Copy link", async () => {
        await copy(link() ?? `flowviz.dashboard.Dashboard(${JSON.stringify(model.get("query"))})`);
        flash("Copied");
      }],
      ["Copy line of Python", async () => {
        await copy(model.get("line"));
        flash("Copied");
      }],
      ["Show code", () => model.send({ kind: "code" })],
      ["Data (JSON)", () => model.send({ kind: "data" })],
    ];
    const items = entries.map(([name, action]) => {
      const item = button("fv-menu-item", name, name, async () => {
        open(false);
        more.focus();
        try {
          await action();
        } catch (error) {
          note.textContent = error.message;
          more.title = error.message;
        }
      });
      item.setAttribute("role", "menuitem");
      item.tabIndex = -1;
      return item;
    });
    menu.append(...items);
    function open(shown) {
      menu.hidden = !shown;
      more.setAttribute("aria-expanded", String(shown));
      if (shown) items[0].focus();
    }
    menu.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") {
        open(false);
        more.focus();
      } else if (step) {
        const at = items.indexOf(document.activeElement);
        items[(at + step + items.length) % items.length].focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const outside = (event) => {
      if (!tools.contains(event.target)) open(false);
    };
    document.addEventListener("pointerdown", outside);
    ends.push(() => document.removeEventListener("pointerdown", outside));

    // ---- what is shown -----------------------------------------------------------------------

    function drawPresets() {
      const labels = model.get("presets");
      presets.replaceChildren(...labels.map((label, index) => {
        const chip = button("fv-chip", label, `Set the panel to “${label}”`, () =>
          model.send({ kind: "preset", index }));
        chip.prepend(element("i", "fv-key", `${index + 1} `));
        return chip;
      }));
      choice.replaceChildren(...labels.map((label, index) => new Option(label, index)));
      choice.prepend(new Option("Presets", ""));
      presets.hidden = choice.hidden = labels.length === 0;
      markPreset();
      makeRoom();
    }

    function markPreset() {
      const at = model.get("preset");
      [...presets.children].forEach((chip, index) =>
        chip.setAttribute("aria-pressed", String(index === at)));
      choice.value = at < 0 ? "" : String(at);
    }

    function draw() {
      title.textContent = model.get("title");
      summary.textContent = model.get("summary");
      words.textContent = model.get("words");
      invitation.textContent = below.textContent = model.get("invitation");
      told.title = told.textContent;
      const presenting = model.get("presenting");
      present.textContent = presenting ? "Esc" : "Present";
      present.title = presenting
        ? "Leave (Escape). Keys: 1–9 presets, Space play, T train, R reset, ← → layers, B black"
        : "The picture alone, as large as it will go; Escape leaves";
      present.setAttribute("aria-pressed", String(presenting));
      if (!presenting && fills()) document.exitFullscreen();
    }

    /** No chip is cut for the invitation. */
    function makeRoom() {
      el.classList.remove("fv-crowded");
      el.classList.toggle("fv-crowded", presets.scrollWidth > presets.clientWidth);
    }

    // ---- keys of a presentation --------------------------------------------------------------

    const fills = () => el.isConnected && document.fullscreenElement === el.closest(".fv-panel");
    let filled = false;
    const screen = () => {
      if (filled && !fills()) set("presenting", false);
      filled = fills();
    };
    document.addEventListener("fullscreenchange", screen);
    ends.push(() => document.removeEventListener("fullscreenchange", screen));

    const black = element("div", "fv-black");
    black.hidden = true;
    const key = (event) => {
      if (!model.get("presenting") || !el.checkVisibility()) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.("input:not([type=range]), textarea, select")) return;
      if (event.key === "Escape") {
        if (menu.hidden) set("presenting", false);
      } else if (event.key === "b" || event.key === "B") black.hidden = !black.hidden;
      else if (/^[1-9]$/.test(event.key)) {
        const index = Number(event.key) - 1;
        if (index < model.get("presets").length) model.send({ kind: "preset", index });
      }
    };
    document.addEventListener("keydown", key);
    black.addEventListener("click", () => { black.hidden = true; });
    ends.push(() => document.removeEventListener("keydown", key));

    const saved = (message) => {
      const [type, ending] = { data: ["application/json", "json"], page: ["text/html", "html"] }[message?.kind] ?? [];
      if (!type) return;
      note.textContent = message.failed ?? "";
      more.title = message.failed ?? more.title;
      if (message.failed) return;
      download(new Blob([message.text], { type }), `${model.get("file")}.${ending}`);
    };
    const head = element("div", "fv-head");
    head.append(title, presets, choice, invitation, tools);
    el.append(head, said, black);
    const listeners = [
      ["change:presets", drawPresets],
      ["change:preset", markPreset],
      ["msg:custom", saved],
      ["change:title change:summary change:words change:invitation change:presenting", draw],
    ];
    for (const [name, listener] of listeners) {
      model.on(name, listener);
      ends.push(() => model.off(name, listener));
    }
    drawPresets();
    draw();
    const sized = new ResizeObserver(makeRoom);
    for (const part of [head, title, invitation]) sized.observe(part);
    ends.push(() => sized.disconnect());
    return () => { for (const end of ends) end(); };
  },
};
