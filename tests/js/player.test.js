// The player: easing, stepping, looping, both directions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock, clockFor } from "../../flowviz/widgets/stage/clock.js";
import { Player, ease, easeInverse } from "../../flowviz/widgets/stage/player.js";

/** Advance in frames of 10 ms, noting where it was. */
function play(player, milliseconds) {
  const seen = [player.position];
  for (let t = 0; t < milliseconds; t += 10) {
    player.advance(10);
    seen.push(player.position);
  }
  return seen;
}

test("easing: ends, middle, symmetry, rest at the ends, inverse", () => {
  assert.equal(ease(0), 0);
  assert.equal(ease(0.5), 0.5);
  assert.equal(ease(1), 1);
  assert.ok(ease(0.02) < 0.001 && 1 - ease(0.98) < 0.001);
  for (let t = 0; t <= 1; t += 0.05) {
    assert.ok(Math.abs(ease(t) + ease(1 - t) - 1) < 1e-12);
    assert.ok(Math.abs(easeInverse(ease(t)) - t) < 1e-9);
  }
});

test("plays from base to data, dwells on states, stops at the end", () => {
  const player = new Player({ frames: 4, speed: 500 });
  player.play();
  const seen = play(player, 3000);
  assert.ok(seen.every((p, i) => i === 0 || p >= seen[i - 1]), "it never goes back");
  assert.equal(seen.at(-1), 3);
  assert.equal(player.playing, false);
  for (const state of [1, 2]) {
    const dwelt = seen.filter((p) => p === state).length * 10;
    assert.ok(dwelt >= 150 && dwelt <= 250, `rested ${dwelt} ms on state ${state}`);
  }
  const moving = seen.filter((p) => p > 1 && p < 2).length * 10;
  assert.ok(Math.abs(moving - 500) <= 40, `a layer took ${moving} ms`);
});

test("inverse plays from data to base and starts there", () => {
  const player = new Player({ frames: 3, speed: 400, direction: "inverse" });
  player.play();
  assert.equal(player.position, 2);
  const seen = play(player, 2000);
  assert.ok(seen.every((p, i) => i === 0 || p <= seen[i - 1]));
  assert.equal(player.position, 0);
  assert.equal(player.playing, false);
});

test("starts again from the start when played at the end", () => {
  const player = new Player({ frames: 3, position: 2 });
  player.play();
  assert.equal(player.position, 0);
});

test("loops: rests at the end, then begins anew", () => {
  const player = new Player({ frames: 2, speed: 400, loop: true });
  player.play();
  const seen = play(player, 4000);
  assert.equal(player.playing, true);
  const restarts = seen.filter((p, i) => i > 0 && p < seen[i - 1]).length;
  assert.ok(restarts >= 2, `${restarts} restarts`);
  assert.ok(seen.filter((p) => p === 1).length * 10 >= 400, "it rests on the data");
});

test("a scrubbed position goes on from where it is, without a jump", () => {
  const player = new Player({ frames: 3, speed: 1000 });
  player.seek(0.4);
  player.play();
  player.advance(10);
  assert.ok(player.position > 0.4 && player.position < 0.45, String(player.position));
});

test("turned in the middle of a layer it goes back to the state it came from", () => {
  const player = new Player({ frames: 3, speed: 500 });
  player.seek(1.5);
  player.direction = "inverse";
  player.play();
  const seen = play(player, 400);
  assert.ok(seen.includes(1) && !seen.includes(2));
});

test("steps to whole states and stays inside", () => {
  const player = new Player({ frames: 3 });
  player.step(-1);
  assert.equal(player.position, 0);
  player.seek(0.5);
  player.step(1);
  assert.equal(player.position, 1);
  player.seek(1.5);
  player.step(-1);
  assert.equal(player.position, 1);
  player.step(1);
  player.step(1);
  assert.equal(player.position, 2);
});

test("seeks are clamped, and nonsense is the base", () => {
  const player = new Player({ frames: 3 });
  player.seek(99);
  assert.equal(player.position, 2);
  player.seek(NaN);
  assert.equal(player.position, 0);
});

test("without tweening it shows whole states only", () => {
  const player = new Player({ frames: 4, speed: 300 });
  player.tweening = false;
  player.play();
  const seen = play(player, 3000);
  assert.deepEqual([...new Set(seen)], [0, 1, 2, 3]);
  assert.equal(player.playing, false);
});

test("one state alone does not play", () => {
  const player = new Player({ frames: 1 });
  player.play();
  assert.equal(player.playing, false);
  assert.equal(player.advance(100), false);
});

test("fewer states keep the position inside", () => {
  const player = new Player({ frames: 9, position: 7 });
  player.setFrames(3);
  assert.equal(player.position, 2);
});

test("it plays no further than the last of fewer states", () => {
  const player = new Player({ frames: 9, position: 7.5 });
  player.playing = true;
  player.setFrames(3);
  assert.deepEqual([...new Set(play(player, 1000))], [2]);
  assert.equal(player.playing, false);
});

test("a page that slept does not skip the film", () => {
  const player = new Player({ frames: 9, speed: 500 });
  player.play();
  player.advance(60_000);
  assert.ok(player.position < 1);
});

test("a layer of many states is one movement, at rest only at its ends", () => {
  const player = new Player({ frames: 17, speed: 800, stretches: 8 });
  player.play();
  const seen = play(player, 3000);
  assert.equal(seen.at(-1), 16);
  const moving = seen.filter((p) => p > 0 && p < 8).length * 10;
  assert.ok(Math.abs(moving - 800) <= 40, `a layer took ${moving} ms`);
  for (const state of [2, 4, 6, 12]) {
    assert.ok(seen.filter((p) => p === state).length <= 1, `rested on state ${state}`);
  }
  assert.ok(seen.filter((p) => p === 8).length * 10 >= 200, "no rest between two layers");
});

test("a layer of many states backwards, and shown state by state", () => {
  const back = new Player({ frames: 17, speed: 800, stretches: 8, direction: "inverse" });
  back.play();
  const seen = play(back, 3000);
  assert.ok(seen.every((p, i) => i === 0 || p <= seen[i - 1]));
  assert.equal(back.position, 0);
  const still = new Player({ frames: 9, speed: 800, stretches: 8 });
  still.tweening = false;
  still.play();
  assert.deepEqual([...new Set(play(still, 2000))], [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("a moment of the film: clamped, live for −1 and without a film", () => {
  const player = new Player({ frames: 3 });
  player.seekMoment(4);
  assert.equal(player.moment, -1);
  player.setMoments(10);
  for (const [wanted, got] of [[4, 4], [99, 9], [-7, -1], [2.4, 2], [NaN, -1], [0, 0]]) {
    player.seekMoment(wanted);
    assert.equal(player.moment, got);
  }
  player.seekMoment(9);
  player.setMoments(5);
  assert.equal(player.moment, 4);
  player.seek(1.5);
  assert.equal(player.moment, 4, "position and moment are two things");
  player.setMoments(0);
  assert.equal(player.moment, -1);
});

test("members of a clock share position and moment; who has no states shrinks nothing", () => {
  const clock = clockFor("shared");
  assert.equal(clockFor("shared"), clock);
  assert.ok(clockFor("") !== clockFor("") && clockFor("") instanceof Clock);
  const heard = [];
  const stage = (player) => heard.push(["stage", player.position, player.moment]);
  const bar = (player, settled) => heard.push(["bar", player.position, player.moment, settled]);
  clock.join(bar, 1);
  clock.join(stage, 5, 12);
  assert.deepEqual([clock.player.last, clock.player.moments], [4, 12]);
  assert.deepEqual(heard.splice(0), [["bar", 0, -1, false]], "who was there hears of the states");
  clock.join(bar, 1);
  assert.deepEqual(heard, []);
  assert.deepEqual([clock.player.last, clock.player.moments], [4, 12]);
  clock.act((p) => { p.seek(2); p.seekMoment(7); }, false);
  assert.deepEqual(heard, [["bar", 2, 7, false], ["stage", 2, 7]]);
  clock.join(stage, 5, 0);
  assert.deepEqual([clock.player.moments, clock.player.moment], [0, -1]);
  globalThis.cancelAnimationFrame = () => {};
  clock.leave(bar);
  clock.leave(stage);
  assert.ok(clockFor("shared") !== clock);
});

test("what a drag changes while it plays is told once, with the page's next frame", () => {
  const frames = [];
  globalThis.requestAnimationFrame = (next) => frames.push(next);
  const clock = clockFor("");
  const told = [];
  clock.join((player) => told.push(player.moment), 3, 9);
  clock.act((p) => p.play());
  assert.deepEqual(told.splice(0), [-1]);
  for (const moment of [3, 4, 5]) clock.act((p) => p.seekMoment(moment), false);
  assert.deepEqual(told, []);
  frames.shift()(clock.before); // no time has passed: nothing but the drag moved
  assert.deepEqual(told.splice(0), [5]);
  clock.act((p) => p.seekMoment(6));
  assert.deepEqual(told.splice(0), [6], "the end of the drag at once");
  clock.act((p) => p.pause(), false);
  clock.act((p) => p.seekMoment(7), false);
  assert.deepEqual(told, [6, 7], "and at rest, each");
  delete globalThis.requestAnimationFrame;
});
