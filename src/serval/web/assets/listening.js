// Where sound comes from: the microphone, window by window, or a file as a whole.

import { factor, isQuiet, levelOf } from "./answer.js";
import { decoded } from "./decode.js";
import { openMicrophone, ringOf } from "./microphone.js";
import { canResample, resampled } from "./resample.js";

const KEPT_S = 30;
const FIRST_S = 1;
/** Sound that there must be before the microphone's first answer. */
const STEP_S = 0.5;
const MOST_STEPS = 60;

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Return how to listen; `panel` shows what `runtime` says of the model that `chosen` returns. */
export const listening = (panel, runtime, chosen) => {
  let turn = 0; // whatever begins ends what ran before
  let microphone = null;

  const stop = () => {
    turn += 1;
    microphone?.close();
    microphone = null;
  };

  const follow = async (ring, rate, mine) => {
    const begun = performance.now();
    while (mine === turn) {
      const { contract, window_s } = chosen();
      const sound = ring.last(Math.min(window_s, contract.max_seconds));
      const now = (performance.now() - begun) / 1000;
      if (sound.length < FIRST_S * rate) {
        await pause(0.1);
      } else if (isQuiet(levelOf(sound))) {
        panel.quiet();
        await pause(STEP_S);
      } else {
        const samples = resampled(sound, rate, contract.sample_rate);
        const answer = await runtime().answer(contract, samples);
        if (mine !== turn) return;
        panel.show(answer);
        panel.add(answer.probabilities, now, now + STEP_S);
        panel.time(answer.took_s, samples.length / contract.sample_rate);
        await pause(Math.max(0.05, STEP_S - (performance.now() - begun) / 1000 + now));
      }
    }
  };

  /** Listen to the microphone until `stop`; `onOpen` is called once it is open. */
  const listen = async (onOpen) => {
    stop();
    const mine = turn;
    let ring = { add: () => {} };
    const opened = await openMicrophone((block) => {
      if (mine !== turn) return;
      ring.add(block);
      panel.level(levelOf(block));
    });
    if (mine !== turn) return opened.close();
    if (!canResample(opened.rate, chosen().contract.sample_rate)) {
      opened.close();
      throw new Error(`the microphone's rate of ${opened.rate} Hz cannot be turned into the model's`);
    }
    microphone = opened;
    ring = ringOf(opened.rate, KEPT_S);
    panel.clear("Microphone");
    onOpen();
    return follow(ring, opened.rate, mine);
  };

  // What the whole file gives is the answer; the windows only show how it came about.
  const windowsOf = async (samples, mine) => {
    const { contract, window_s } = chosen();
    const rate = contract.sample_rate;
    const length = samples.length / rate;
    const step = Math.max(STEP_S, (length - window_s) / MOST_STEPS);
    for (let at = 0; at + window_s < length + step && mine === turn; at += step) {
      const from = Math.min(at, length - window_s);
      const part = samples.slice(Math.round(from * rate), Math.round((from + window_s) * rate));
      const { probabilities } = await runtime().answer(contract, part);
      if (mine === turn) panel.add(probabilities, at + (window_s - step) / 2, at + (window_s + step) / 2, length);
    }
  };

  /** Say what an encoded file (ArrayBuffer) holds. */
  const hear = async (encoded, name) => {
    stop();
    const mine = turn;
    const { contract, window_s } = chosen();
    panel.clear(name);
    const { samples, notes } = await decoded(encoded, contract.sample_rate);
    const length = samples.length / contract.sample_rate;
    if (!samples.length) throw new Error("it holds no sound");
    if (length > contract.max_seconds) {
      throw new Error(`it has ${length.toFixed(1)} s, more than the ${factor(contract.max_seconds)} s that the model takes`);
    }
    const answer = await runtime().answer(contract, samples);
    if (mine !== turn) return;
    panel.level(levelOf(samples));
    panel.show(answer, notes.join("; "));
    panel.time(answer.took_s, length);
    if (length > window_s) await windowsOf(samples, mine);
    else panel.add(answer.probabilities, 0, length, length);
  };

  return { listen, hear, stop, isOpen: () => microphone !== null };
};
