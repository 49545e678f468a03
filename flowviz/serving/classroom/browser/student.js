// The class on a page of the dashboard or of a lesson.

import { hear, tell } from "../../../widgets/signals.js";
import { Answers } from "./answers.js";
import { storage } from "./keeping.js";
import { lecturerSide, studentSide } from "./sides.js";
import { strip } from "./strip.js";
import { listen, ownName, say } from "./wire.js";

function begin(page) {
  const known = storage("localStorage");
  const student = ownName(known);
  const post = (what) => (message) => say(`${page.base}class/${what}`, message);
  const answers = new Answers(post("answer"), page.promise, student);
  const visit = (query) => tell("visit", query);
  const around = { ...page, known, keep: storage("sessionStorage"), foot: strip(), visit };
  let side = null; // the lecturer's or a student's, once that is known
  let here = null; // where the dashboard is

  const heard = {
    hello({ lecturer }) {
      if (side !== null) return;
      answers.counts = !lecturer;
      side = lecturer ? lecturerSide(around, post("lead")) : studentSide(around);
      if (here !== null) side.at(here);
    },
    whole(message) { heard.change(message); },
    change({ predictions = {}, lead }) {
      answers.take(predictions);
      if (lead !== undefined) side.led(lead);
    },
  };
  listen(`${page.base}class/events?student=${student}`, (kind, message) => heard[kind](message));
  hear("prediction", (told) => answers.prediction(told));
  hear("reached", ({ panel, goal }) => {
    // What the lecturer has led to nobody has reached. A goal that the class is not told of stays
    // ticked in the panel.
    if (side !== null && !side.follows()) post("goal")({ student, panel, goal }).catch(() => {});
  });
  hear("address", (query) => {
    here = query;
    side?.at(query);
  });
}

export default begin(JSON.parse(document.getElementById("fv-class").textContent));
