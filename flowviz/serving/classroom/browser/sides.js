// What the strip of a page says and does: on a student's side, and on the lecturer's.

import { Following, Leading } from "./follow.js";

const TOLD = "flowviz.class.told"; // the class whose notice was read
const LEADS = "flowviz.class.leads"; // kept in the tab that leads

/**
 * A student's side: {led(query), at(query), follows()}. The first two are told where the lecturer is
 * (null: nowhere) and where this dashboard is; the last says whether it shows the lecturer's state.
 *
 * page: {base, name, promise, dashboard, known, keep, foot, visit(query)}.
 */
export function studentSide(page) {
  return page.dashboard ? besideThePanels(page) : besideALesson(page);
}

/** What the strip says before anything is told of the student, until it was read: words, buttons. */
function notice({ name, promise, known }, read) {
  if (known.getItem(TOLD) === name) return [""];
  const words = `Class ${name}: what you predict, draw and reach here is counted. ${promise}`;
  const press = () => {
    known.setItem(TOLD, name);
    read();
  };
  return [words, ["All right", press]];
}

function besideALesson(page) {
  let lead = null;
  function draw() {
    if (lead === null) page.foot.show(...notice(page, draw));
    else page.foot.show("The lecturer leads in the dashboard.", ["Go there", page.base]);
  }
  function led(query) {
    lead = query;
    draw();
  }
  return { led, at() {}, follows: () => false };
}

function besideThePanels(page) {
  const { keep, foot, visit } = page;
  const following = new Following(visit, keep, draw);
  const again = ["Follow again", () => following.follow()];
  const back = ["Back to my own", () => following.back()];
  const shows = {
    following: () => ["Following the lecturer", ["Let go", () => following.letGo()]],
    alone: () => [
      "The lecturer leads; this panel is yours.", again, ...(following.own === null ? [] : [back]),
    ],
    over: () => [
      "The lecturer has stopped leading.", back, ["Stay here", () => following.settle()],
    ],
  };
  function draw() {
    foot.show(...(shows[following.phase]?.() ?? notice(page, draw)));
  }
  return {
    led: (query) => following.led(query),
    at: (query) => following.at(query),
    follows: () => following.phase === "following",
  };
}

/** The lecturer's side of the same; `tellClass({query})` says where it leads to, or null. */
export function lecturerSide({ base, name, dashboard, keep, foot }, tellClass) {
  const follows = () => true; // what the lecturer reaches is none of the students'
  if (!dashboard) return { led() {}, at() {}, follows };
  const leading = new Leading(tellClass, (error) => draw(error.message));
  let here = null;
  let lead = null;
  // The link on the class's page asks for it at once.
  let atOnce = location.hash === "#lead";

  const leads = () => keep.getItem(LEADS) !== null;
  function begin() {
    keep.setItem(LEADS, "");
    leading.at(here);
    draw();
  }
  function stop() {
    keep.removeItem(LEADS);
    leading.stop();
    draw();
  }
  function draw(trouble = "") {
    const page = ["The class's page", `${base}class`];
    if (trouble) foot.show(`The class is not told: ${trouble}.`, ["Try again", begin], page);
    else if (leads()) foot.show(`You lead ${name}: their panels follow.`, ["Stop leading", stop], page);
    else if (lead) foot.show(`${name} is led from another page.`, ["Lead from here", begin], page);
    else foot.show(`Class: ${name}`, ["Lead from here", begin], page);
  }

  return {
    follows,
    led(query) {
      // Stopped on the class's page, or forgotten.
      if (lead !== null && query === null) keep.removeItem(LEADS);
      lead = query;
      draw();
    },
    at(query) {
      const first = here === null;
      here = query;
      if (first && atOnce) begin();
      else if (leads()) leading.at(query);
      atOnce = false;
    },
  };
}
