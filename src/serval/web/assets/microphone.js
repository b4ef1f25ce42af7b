// The microphone as it is: none of the browser's own clean-up, which would change the voice.

const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

const REFUSED = {
  NotAllowedError: "the browser was not allowed to use the microphone; allow it in the address bar",
  NotFoundError: "there is no microphone",
  NotReadableError: "the microphone is used by another program",
};

/** The last samples, up to `seconds` of them. */
export const ringOf = (rate, seconds) => {
  const kept = new Float32Array(Math.ceil(rate * seconds));
  let written = 0;
  const add = (block) => {
    for (const value of block) {
      kept[written % kept.length] = value;
      written += 1;
    }
  };
  /** Return the last `span` seconds, or what there is of them. */
  const last = (span) => {
    const n = Math.min(Math.round(span * rate), written, kept.length);
    return Float32Array.from({ length: n }, (_, k) => kept[(written - n + k) % kept.length]);
  };
  return { add, last };
};

/**
 * Return an open microphone: `{rate, close}`; `onBlock` gets its samples (Float32Array).
 *
 * Throws an Error whose message says what to do.
 */
export const openMicrophone = async (onBlock) => {
  if (!navigator.mediaDevices) {
    throw new Error("a microphone needs a page that came by https, or from this machine itself");
  }
  const stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN }).catch((error) => {
    throw new Error(REFUSED[error.name] ?? `the microphone cannot be opened (${error.name})`);
  });
  const context = new AudioContext();
  await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
  const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 1 });
  capture.port.addEventListener("message", ({ data }) => onBlock(data));
  capture.port.start();
  // A node is run for what it is connected to; it gives silence.
  context.createMediaStreamSource(stream).connect(capture).connect(context.destination);
  await context.resume();
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    context.close();
  };
  return { rate: context.sampleRate, close };
};
