// What the panels say of what is seen, for pages whose state is another than the one that was saved.

import { formatNumber } from "../charts/numbers.js";

/** What is below this is zero to rounding. */
const ROUNDING = 2e-6;
/** Two divergences that differ by a smaller share are level. */
const LEVEL = 0.05;
/** A share of samples out of sight is spoken of from here on. */
const AWAY = 0.02;

/** On the forward model beside the reverse one, {there, here} each: as `compared` of model_on_grid.py. */
export function compared(forward, reverse, done, linear) {
  if (linear && !done) return "The flow is linear: forward KL will end at the target's mean and covariance.";
  if (!done) return "Forward KL pays where the target has samples, reverse KL where the model goes.";
  if (linear) return "Forward KL ends at the target's mean and covariance; reverse KL need not.";
  if (reverse.there > 4 * forward.there && reverse.there > 0.5) {
    const [covers, misses] = [forward.there, reverse.there].map((value) => formatNumber(value, 2));
    return `Forward covers p* (KL(p*‖p) ${covers}), reverse less of it (${misses}).`;
  }
  const lead = (a, b) => (Math.abs(a - b) <= LEVEL * Math.max(a, b) ? 0 : Math.sign(b - a));
  const leads = [lead(forward.there, reverse.there), lead(forward.here, reverse.here)];
  const sum = leads[0] + leads[1];
  if (sum === 0) {
    if (leads[0] > 0) return "Each run is ahead in the divergence that it descends.";
    if (leads[0] < 0) return "Neither run is ahead in the divergence that it descends: both are close.";
    return "The runs are level by both measures.";
  }
  const ahead = sum > 0 ? "forward" : "reverse";
  if (Math.abs(sum) === 2) return `The ${ahead} run is closer by both measures.`;
  return `By ${leads[0] ? "KL(p‖p*)" : "KL(p*‖p)"} the runs are level, by the other ${ahead} is closer.`;
}

/** What log|det J| = `change` does to an area: as `factor_in_words` of volume_words.py. */
export function factor(change) {
  if (Math.abs(change) < 0.005) return "keeps the area";
  return `${change > 0 ? "stretches" : "squeezes"} area ×${formatNumber(Math.exp(change))}`;
}

/** Of samples on their way and a marked point: `changes` of the layers there, the layer at hand, 0
 * for none, whether they go back to the base, and the share that is out of sight; as `words` of
 * trajectories.py. */
export function onTheWay(changes, layer, back, outside = 0) {
  const away = outside > AWAY ? ` On the way up to ${formatNumber(100 * outside, 2)} % of the samples leave the picture.` : "";
  return atLayer(changes, layer, back) + away;
}

function atLayer(changes, layer, back) {
  const last = layer === changes.length;
  if (back && last) return "Here they are still data: Play carries them back, the way of log p(x).";
  if (back && layer === 0) return "Data → base, the way of log p(x): the better the fit, the more Gaussian the data at layer 0.";
  if (layer === 0) return "Here they are still the Gaussian of the base: press Play.";
  const change = last ? changes.reduce((a, b) => a + b, 0) : changes[layer - 1];
  const undone = back ? `; undone, it ${factor(-change)}` : "";
  return `At the marked point ${last ? "the whole flow" : `layer ${layer}`} ${factor(change)}${undone}.`;
}

/** What log|det J| from `low` to `high` over a grid says of areas: as `volume_in_words`. */
export function overTheGrid(low, high) {
  if (Math.max(Math.abs(low), Math.abs(high)) < ROUNDING) {
    return "The flow preserves volume: log|det J| = 0 everywhere.";
  }
  if (high - low < ROUNDING * Math.max(1, Math.abs(high))) {
    const [area, density] = [high, -high].map((change) => formatNumber(Math.exp(change)));
    return `The flow scales every area by ${area}, every density by ${density}.`;
  }
  const [areas, densities] = [1, -1].map((sign) =>
    [low, high].map((end) => formatNumber(Math.exp(sign * end), 2)).join(" to "));
  return `The flow scales the cells' areas by ${areas}, densities there by ${densities}.`;
}
