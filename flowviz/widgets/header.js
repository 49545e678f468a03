// A panel's head: title, presets, what one sees, and the menu that takes the panel elsewhere.

import { copy } from "./clipboard.js";
import { followClasses } from "./classes.js";
import { hintAtMore } from "./more.js";
import { download, savePng } from "./stage/export.js";
import { find } from "./stage/registry.js";

/** Pixels over which the row of presets fades where it goes on. */
const FADE = 28;
/** What is drawn anew for longer than so many milliseconds is veiled, and that is said. */
const MOMENT = 600;
/** So many milliseconds it stands under the menu's button what was saved or copied. */
const SAID = 4000;

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
    const note = element("p", "fv-tools-said");
    note.setAttribute("role", "status");
    tools.append(present, more, menu, note);

    const views = () => model.get("stages").map(find).filter(Boolean);
    let quiet = 0;
    /** Under the menu's button, until something else is said; what is done, for a while. */
    const say = (text, done = false) => {
      clearTimeout(quiet);
      note.textContent = text;
      if (done) quiet = setTimeout(say, SAID, "");
    };
    ends.push(() => clearTimeout(quiet));
    const save = (name) => say(`Saved as ${name}`, true);
    const link = () => linkOf(model.get("query"), el);
    const entries = [
      ["Picture (PNG)", async () => {
        await savePng(views(), model.get("file"));
        save(`${model.get("file")}.png`);
      }],
      ["Page of its own (HTML)", () => {
        say("Preparing the page …");
        model.send({ kind: "page" });
      }],
      [link() ? "Copy link, without the token" : "Copy link", async () => {
        await copy(link() ?? `flowviz.dashboard.Dashboard(${JSON.stringify(model.get("query"))})`);
        say("Copied", true);
      }],
      ["Copy line of Python", async () => {
        await copy(model.get("line"));
        say("Copied", true);
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
          say(error.message);
        }
      });
      item.setAttribute("role", "menuitem");
      item.tabIndex = -1;
      return item;
    });
    menu.append(...items);
    function open(shown) {
      menu.hidden = !shown;
      if (shown) say("");
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
      const lit = presets.children[at];
      if (lit) {
        const over = lit.offsetLeft + lit.offsetWidth - presets.scrollLeft - presets.clientWidth;
        if (over > 0) presets.scrollLeft += over + FADE;
        else presets.scrollLeft = Math.min(presets.scrollLeft, lit.offsetLeft - FADE);
      }
      choice.value = at < 0 ? "" : String(at);
    }

    let late = false;
    let patience = 0;
    function veil() {
      clearTimeout(patience);
      const panel = el.closest(".fv-panel");
      const lift = () => {
        late = model.get("drawing");
        // What is dragged is followed by the page itself.
        if (late && panel?.matches(":has(:active)")) return veil();
        panel?.classList.toggle("fv-drawing", late);
        panel?.querySelector(".fv-body")?.setAttribute("aria-busy", String(late));
        draw();
      };
      if (model.get("drawing")) patience = setTimeout(lift, MOMENT);
      else if (late) lift();
    }
    ends.push(() => clearTimeout(patience));

    function draw() {
      title.textContent = model.get("title");
      summary.textContent = model.get("summary");
      words.textContent = late ? "Drawing …" : model.get("words");
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
      hintAtMore(presets);
    }
    presets.addEventListener("scroll", () => hintAtMore(presets), { passive: true });
    // A wheel that turns one way only scrolls them as well.
    presets.addEventListener("wheel", (event) => {
      if (event.deltaX || presets.scrollWidth <= presets.clientWidth) return;
      presets.scrollLeft += event.deltaY;
      event.preventDefault();
    });

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
      if (message.failed) return say(message.failed);
      const name = `${model.get("file")}.${ending}`;
      download(new Blob([message.text], { type }), name);
      save(name);
    };
    const head = element("div", "fv-head");
    head.append(title, presets, choice, invitation, tools);
    el.append(head, said, black);
    const listeners = [
      ["change:presets", drawPresets],
      ["change:preset", markPreset],
      ["change:drawing", veil],
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
