// The answer in large letters, the probabilities now and over the last seconds, the level, the speed.

import { counted, el, isolated, percent } from "./dom.js";
import { colourNow } from "./theme.js";

const SHOWN_S = 30;
/** Seconds of answers that the strips show while the microphone is on. */
const NO_GAP_S = 1;
/** A slow device answers later than the strips expect; only silence leaves a gap. */
const QUIETEST_DB = -60;
const SPOKEN_EVERY_MS = 2000;
const MOST_TIMES = 20;

const $ = (id) => document.getElementById(id);

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

export const milliseconds = (seconds) =>
  `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)}\u00a0ms`;

export const factor = (value) => (value < 0.0995 ? value.toPrecision(2) : value.toFixed(2));

/** Return the level of samples in dB below the largest square wave; -Infinity for silence. */
export const levelOf = (samples) => {
  let squares = 0;
  for (const value of samples) squares += value * value;
  return 10 * Math.log10(squares / Math.max(1, samples.length));
};

export const isQuiet = (level) => level < QUIETEST_DB;

const rowOf = (label, at) =>
  el("tr", { id: `label-${at}` },
    el("th", { scope: "row" }, isolated(label)),
    el("td", { class: "strip", "aria-hidden": "true" }, el("canvas")),
    el("td", { class: "n" }, "–"));

/** Draw one row of probabilities, each as wide as the time until the next. */
const paintStrip = (canvas, points, label, [from, to]) => {
  const scale = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.fillStyle = colourNow("--a");
  const x = (seconds) => ((seconds - from) / (to - from)) * width;
  points.forEach(({ at, until, probabilities }) => {
    pen.globalAlpha = 0.06 + 0.94 * probabilities[label];
    pen.fillRect(x(at), 0, Math.max(scale, x(until) - x(at)), height);
  });
};

/** Return the panel; it shows one contract's labels until `use` gives it another. */
export const answerPanel = () => {
  let labels = [];
  let points = [];
  let span = [0, SHOWN_S];
  let times = [];
  let spoken = { at: -Infinity, text: "" };

  const paint = () => {
    labels.forEach((_, at) => {
      const canvas = $(`label-${at}`)?.querySelector("canvas");
      if (canvas?.clientWidth) paintStrip(canvas, points, at, span);
    });
    $("axis").replaceChildren(...span.map((second) => el("span", {}, `${second.toFixed(second % 1 ? 1 : 0)}\u00a0s`)));
  };

  const say = (text) => {
    const now = performance.now();
    if (text === spoken.text || now - spoken.at < SPOKEN_EVERY_MS) return;
    spoken = { at: now, text };
    $("spoken").textContent = text;
  };

  const clear = (source) => {
    [points, times, span, spoken] = [[], [], [0, SHOWN_S], { at: -Infinity, text: "" }];
    $("source").textContent = source;
    $("answer").textContent = "…";
    $("sure").textContent = "";
    for (const cell of document.querySelectorAll("#probabilities td.n")) cell.textContent = "–";
    for (const row of document.querySelectorAll("#probabilities tr")) row.classList.remove("truth");
    paint();
  };

  /** Show the labels of a model. */
  const use = (contract) => {
    labels = contract.labels;
    $("probabilities").replaceChildren(...labels.map(rowOf));
  };

  /** Show an answer: what is said now. */
  const show = ({ probabilities, label }, note = "") => {
    $("answer").replaceChildren(isolated(labels[label]));
    $("sure").textContent = `${percent(probabilities[label])} sure${note ? `; ${note}` : ""}`;
    probabilities.forEach((p, at) => {
      const row = $(`label-${at}`);
      row.classList.toggle("truth", at === label);
      row.querySelector("td.n").textContent = percent(p);
    });
    say(`${labels[label]}, ${Math.round(100 * probabilities[label])} percent`);
  };

  /** Add an answer to the strips; `at` and `until` in seconds. */
  const add = (probabilities, at, until, length = null) => {
    const before = points.at(-1);
    if (before && at - before.until < NO_GAP_S) before.until = at;
    points = [...points.filter((point) => length || point.until > until - SHOWN_S), { at, until, probabilities }];
    span = length ? [0, length] : [Math.max(0, until - SHOWN_S), Math.max(SHOWN_S, until)];
    paint();
  };

  const time = (took_s, audio_s) => {
    times = [...times.slice(1 - MOST_TIMES), { took_s, rtf: took_s / audio_s }];
    $("latency").textContent = milliseconds(median(times.map((each) => each.took_s)));
    $("rtf").textContent = factor(median(times.map((each) => each.rtf)));
    $("heard").textContent = `for ${audio_s.toFixed(1)}\u00a0s of sound, median of ${counted(times.length, "answer")}`;
  };

  const quiet = () => {
    $("answer").textContent = "too quiet";
    $("sure").textContent = "speak, or come closer";
    say("too quiet");
  };

  const level = (decibels) => {
    const share = Math.min(1, Math.max(0, 1 + decibels / -QUIETEST_DB));
    $("level").firstElementChild.style.width = `${(100 * share).toFixed(1)}%`;
    $("level").setAttribute("aria-valuenow", Math.round(Math.max(QUIETEST_DB, decibels)));
  };

  const fault = (text) => {
    $("answer").textContent = "–";
    $("sure").textContent = text;
    $("spoken").textContent = text;
  };

  return { use, clear, show, add, time, quiet, level, fault, paint };
};
