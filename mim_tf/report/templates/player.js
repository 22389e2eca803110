"use strict";

const MILLISECONDS_PER_FRAME = 200;
const PIXELS_PER_DRAG = 200; // of a finger or mouse, through all frames

function startPlayer(player) {
  const frames = Number(player.dataset.frames);
  const context = Number(player.dataset.context);
  const isData = player.dataset.context === "";
  const slider = player.querySelector("input");
  const button = player.querySelector("button");
  const output = player.querySelector("output");
  let timer = null;

  function show(frame) {
    slider.value = frame;
    const isContext = frame <= context;
    const [what, number, count] = isData
      ? ["frame", frame, frames]
      : isContext
        ? ["context", frame, context]
        : ["lead time", frame - context, frames - context];
    const words = `${what} ${number} of ${count}`;
    output.textContent = words;
    slider.setAttribute("aria-valuetext", words);
    player.style.setProperty("--frame", frame - 1);
    player.classList.toggle("context", isContext);
  }

  function play(wanted) {
    clearInterval(timer);
    timer = wanted
      ? setInterval(() => show((Number(slider.value) % frames) + 1), MILLISECONDS_PER_FRAME)
      : null;
    button.setAttribute("aria-label", wanted ? "pause" : "play");
    button.setAttribute("aria-pressed", String(wanted));
  }

  button.addEventListener("click", () => play(timer === null));
  slider.addEventListener("input", () => {
    play(false);
    show(Number(slider.value));
  });
  slider.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      play(timer === null);
    }
  });

  const panes = player.querySelector(".panes");
  let start = null;
  panes.addEventListener("pointerdown", (event) => {
    start = { x: event.clientX, frame: Number(slider.value) };
    panes.setPointerCapture(event.pointerId);
    play(false);
  });
  panes.addEventListener("pointermove", (event) => {
    if (start !== null) {
      const moved = Math.round(((event.clientX - start.x) / PIXELS_PER_DRAG) * frames);
      show(Math.min(frames, Math.max(1, start.frame + moved)));
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    panes.addEventListener(end, () => (start = null));
  }

  show(Number(slider.value));
}

document.querySelectorAll(".player").forEach(startPlayer);
