// Until the panel is there: samples of its flow on their way, once, from the base to the data.
(() => {
  const figure = document.getElementById("fv-flight");
  const names = [...new URLSearchParams(location.search).keys()];
  if (names.some((name) => name !== "token")) return; // the link opens something else
  const flight = JSON.parse(document.getElementById("fv-flight-data").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const packed = new DataView(bytes(flight.positions).buffer);
  const turns = bytes(flight.turns);
  const { states, points } = flight;
  const place = (state, point, axis) =>
    packed.getUint16(2 * (2 * (state * points + point) + axis), true) / 65535;

  // Few colours, each set once a frame: the page's scripts start at the same time.
  const COLOURS = 24;
  const groups = Array.from({ length: COLOURS }, () => []);
  turns.forEach((turn, point) => groups[Math.floor((turn * COLOURS) / 256)].push(point));

  figure.hidden = false;
  const canvas = figure.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const draw = (position) => {
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    else pen.clearRect(0, 0, side, side);
    const dark = document.documentElement.dataset.fvTheme === "dark";
    const before = Math.min(Math.floor(position), states - 2);
    const part = position - before;
    const size = 2.5 * devicePixelRatio;
    const on = (axis, point) =>
      (1 - part) * place(before, point, axis) + part * place(before + 1, point, axis);
    groups.forEach((members, colour) => {
      pen.fillStyle = `oklch(${dark ? 0.76 : 0.62} 0.105 ${(colour * 360) / COLOURS}deg)`;
      for (const point of members) {
        pen.fillRect(on(0, point) * side - size / 2, (1 - on(1, point)) * side - size / 2, size, size);
      }
    });
  };

  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const last = states - 1;
  let start = null;
  const frame = (now) => {
    if (!figure.isConnected) return; // the panel is there
    start ??= now;
    const layers = Math.max(0, (now - start) / flight.ms - 0.5);
    // Eases in and out of every layer, as the panel does.
    const eased = Math.floor(layers) + (1 - Math.cos(Math.PI * (layers % 1))) / 2;
    const position = still ? last : Math.min(eased, last);
    draw(position);
    if (position < last) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  // Also where the theme or the window changes afterwards.
  const again = () => requestAnimationFrame(frame);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-fv-theme"] });
  addEventListener("resize", again);
})();
