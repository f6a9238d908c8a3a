// A sound as a picture: where it is loud, how far it has been played, and a click to go there.

import { el } from "./dom.js";

/** A picture of a waveform ({seconds, low, high}, in hundredths of full scale) that follows an audio element. */
export function makeWaveform(wave, audio) {
  const canvas = el("canvas", { class: "waveform", "aria-hidden": "true" });
  const draw = () => {
    const sharp = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    [canvas.width, canvas.height] = [Math.round(width * sharp), Math.round(height * sharp)];
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    const style = getComputedStyle(canvas);
    const [played, rest] = [style.getPropertyValue("--accent"), style.getPropertyValue("--wave")];
    const loudest = Math.max(10, ...wave.high, ...wave.low.map((each) => -each)); // soft speech is seen, too
    const share = audio.duration ? audio.currentTime / audio.duration : 0;
    const bars = Math.max(1, Math.floor(width / 3));
    for (let bar = 0; bar < bars; bar++) {
      const [from, to] = [bar, bar + 1].map((each) => Math.floor((each * wave.low.length) / bars));
      let [low, high] = [0, 0];
      for (let at = from; at < Math.max(to, from + 1) && at < wave.low.length; at++) {
        low = Math.min(low, wave.low[at]);
        high = Math.max(high, wave.high[at]);
      }
      const top = (height / 2) * (1 - high / loudest);
      const tall = Math.max(2, (height / 2) * ((high - low) / loudest));
      pen.fillStyle = bar / bars < share ? played : rest;
      pen.beginPath();
      pen.roundRect(bar * 3, Math.min(top, height / 2 - 1), 2, tall, 1);
      pen.fill();
    }
  };
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * (audio.duration || wave.seconds);
    audio.currentTime = at;
    audio.play().catch(() => {}); // its own player tells why
  });
  for (const each of ["timeupdate", "seeked", "loadedmetadata", "ended"]) audio.addEventListener(each, draw);
  audio.addEventListener("play", function follow() {
    draw();
    if (!audio.paused && canvas.isConnected) requestAnimationFrame(follow);
  });
  new ResizeObserver(draw).observe(canvas);
  return { element: canvas, draw };
}
