// The clip that is open: its sound, its picture, what the model said, and what is known of it.

const drawOutline = (canvas, encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
  const loudest = Math.max(1, ...bytes);
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.fillStyle = colourNow("--a");
  const step = width / bytes.length;
  bytes.forEach((value, at) => {
    const tall = Math.max(scale, (value / loudest) * (height - 6 * scale));
    pen.fillRect(at * step, (height - tall) / 2, Math.max(1, step * 0.72), tall);
  });
};

// A clip that is left before it begins to play is no error.
const play = (audio) => audio.play().catch(() => {});

const stageOf = (sound, name, length) => {
  const audio = el("audio", { controls: true, preload: "auto", src: sound.src, "aria-label": name });
  const head = el("div", { class: "head" });
  const canvas = el("canvas", { role: "img", "aria-label": "Waveform" });
  const stage = el("div", { class: "stage", title: "Choose a place to play from" }, canvas,
    el("img", { src: `data:image/png;base64,${sound.mel}`, alt: "Mel spectrogram, 0 to 8 kHz" }), head);
  const span = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : length);
  const follow = () => {
    head.style.left = `${(100 * audio.currentTime) / span()}%`;
    if (!audio.paused && !audio.ended) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked", "timeupdate", "ended"]) audio.addEventListener(name, follow);
  stage.addEventListener("click", (event) => {
    const box = stage.getBoundingClientRect();
    audio.currentTime = Math.max(0, ((event.clientX - box.left) / box.width) * span());
    play(audio);
  });
  const unheard = el("p", { class: "keys", role: "status" });
  audio.addEventListener("error", () => {
    unheard.textContent = "This browser cannot play this clip. Try another browser, or make the page again.";
  });
  const whole = el("div", {}, stage,
    el("div", { class: "axis" }, el("span", {}, "0 s"), el("span", {}, "mel spectrogram, 0–8 kHz"), el("span", {}, seconds(length))),
    audio, unheard);
  return { whole, audio, paint: () => drawOutline(canvas, sound.outline) };
};

const barOf = (share, kind) =>
  el("div", { class: "track" }, widthOf(el("i", { class: kind }), share));

const factsOf = (i) => {
  const facts = [["Speaker", speakerOf(i)], ["Text", textOf(i)], ["Duration", seconds(columns().duration[i])]];
  for (const column of columns().groups) {
    if (column.of[i] >= 0) facts.push([column.name, column.values[column.of[i]]]);
  }
  facts.push(["Position in the set", String(columns().index[i])]);
  return el("dl", { class: "facts" }, ...facts.filter(([, value]) => value !== "").flatMap(([name, value]) =>
    [el("dt", {}, isolated(name)), el("dd", {}, isolated(value))]));
};

const copyLink = async (event) => {
  try {
    await navigator.clipboard.writeText(location.href);
    event.target.textContent = "Copied";
  } catch {
    event.target.textContent = "See the address bar";
  }
};

// Puts clip `i` into `panel`; returns what the keyboard needs: play or pause, and paint again.
const openClip = (panel, i, { place, step, link }) => {
  const sound = soundOf(i);
  const stage = sound ? stageOf(sound, `Clip ${columns().id[i]}`, columns().duration[i]) : null;
  panel.replaceChildren(
    el("div", { class: "top" },
      el("div", {}, el("p", { class: "eyebrow" }, place), el("h3", { id: "clip-name", dir: "auto" }, columns().id[i])),
      el("div", { class: "tools" },
        el("button", { type: "button", name: "previous", onclick: () => step(-1, "previous") }, "Previous"),
        el("button", { type: "button", name: "next", onclick: () => step(1, "next") }, "Next"),
        el("button", { type: "button", onclick: (event) => {
          link();
          copyLink(event);
        } }, "Copy link"))),
    ...task.said(i),
    el("div", { class: "heard" }, stage ? stage.whole : el("p", { class: "keys" }, content.silence), task.table(i)),
    factsOf(i));
  stage?.paint();
  return {
    toggle: () => {
      if (!stage) return;
      if (stage.audio.paused) play(stage.audio);
      else stage.audio.pause();
    },
    // One that was heard to its end counts: it was not stopped by anybody.
    playing: () => Boolean(stage && (!stage.audio.paused || stage.audio.ended)),
    paint: () => stage?.paint(),
  };
};
