// The lecturer's page: who is there, what was predicted, which goals are reached, and who leads.

import { button, element, some } from "./elements.js";
import { goalsOf } from "./goals.js";
import { Lesson } from "./lesson.js";
import { listen, say } from "./wire.js";

const byId = (id) => document.getElementById(id);

function begin({ base, lessons, panels }) {
  const post = (what) => (message) => say(`${base}${what}`, message, []);

  // ---- predictions ---------------------------------------------------------------------------

  const invite = document.querySelector(".fv-class-invite");
  invite.querySelector("summary").addEventListener("click", () => { folded = true; });
  const tabs = document.querySelector(".fv-class-lessons");
  const place = document.querySelector(".fv-class-questions");
  let chosen = false; // whether the lecturer has chosen a lesson
  let folded = false; // whether the link was folded away for the first answer, or by hand
  const shown = lessons.map((told) => {
    const lesson = new Lesson(told, post("reveal"));
    const tab = button("", () => {
      chosen = true;
      turnTo(lesson);
    });
    const count = element("small", "");
    tab.append(told.title, " ", count);
    tabs.append(tab);
    place.append(lesson.node);
    return { lesson, tab, count };
  });

  function turnTo(wanted) {
    for (const { lesson, tab } of shown) {
      tab.setAttribute("aria-pressed", String(lesson === wanted));
      lesson.node.hidden = lesson !== wanted;
    }
  }

  function takePredictions(predictions) {
    let latest = null;
    for (const { lesson, count } of shown) {
      if (lesson.take(predictions)) latest = lesson;
      count.textContent = lesson.answered ? some(lesson.answered, "answer") : "";
    }
    if (!latest?.answered) return;
    // Until somebody chooses, the page is where the class is.
    if (!chosen) turnTo(latest);
    if (!folded) invite.open = false;
    folded = true;
  }

  // ---- goals, presence, lead -----------------------------------------------------------------

  const boards = goalsOf(panels);
  document.querySelector(".fv-class-panels").append(...boards.nodes);
  const titles = Object.fromEntries(panels.map(({ name, title }) => [name, title]));

  function takeLead(lead) {
    const panel = lead === null ? null : new URLSearchParams(lead).get("panel");
    byId("fv-class-leads").textContent = lead === null
      ? "Their panels can follow yours: every move of a slider, a layer, the training."
      : `You lead: their dashboards follow, now in ${titles[panel] ?? panel}. A student can let go.`;
    byId("fv-class-stop").hidden = lead === null;
  }
  byId("fv-class-stop").addEventListener("click", () => post("lead")({ query: null }));

  function present(count, students) {
    byId("fv-class-present").textContent =
      `${count} here now${students ? ` · ${students} took part` : ""}`;
  }

  turnTo(shown[0]?.lesson);
  takeLead(null);
  colours(byId("fv-class-theme"));
  listen(`${base}board`, (kind, message) => {
    if (kind === "hello") return;
    present(message.present, message.students);
    takePredictions(message.predictions);
    boards.take(message.goals, message.students);
    if ("lead" in message) takeLead(message.lead);
  }, (missing) => {
    if (missing) byId("fv-class-present").textContent = "The server cannot be reached; trying again…";
  });
}

/** The switch between light and dark. */
function colours(press) {
  const root = document.documentElement;
  const draw = () => {
    const dark = root.dataset.fvTheme === "dark";
    press.textContent = dark ? "☀" : "☾";
    press.title = dark ? "Light colours" : "Dark colours";
    press.setAttribute("aria-label", press.title);
  };
  press.addEventListener("click", () => {
    root.dataset.fvTheme = root.dataset.fvTheme === "dark" ? "light" : "dark";
  });
  new MutationObserver(draw).observe(root, { attributeFilter: ["data-fv-theme"] });
  draw();
}

export default begin(JSON.parse(byId("fv-class").textContent));
