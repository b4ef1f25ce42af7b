// A sound file -> one channel at the model's rate, as Python makes it.
//
// The browser decodes, but at a rate that it is told: that of the file is read from its head, so
// that the samples are the file's own and no other filter than ours changes them.

import { canResample, resampled } from "./resample.js";

const LEAST_LEFT = 0.2;
/** Share of what unrelated channels leave in their mean, below which they cancel out. */

const text = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const waveRate = (bytes) => {
  for (let at = 12; at + 16 < bytes.length; ) {
    const size = viewOf(bytes).getUint32(at + 4, true);
    if (text(bytes, at, 4) === "fmt ") return viewOf(bytes).getUint32(at + 12, true);
    at += 8 + size + (size % 2);
  }
  return null;
};

/** Of a FLAC stream whose block of facts begins at `at`: 20 bits. */
const flacRate = (bytes, at) => (bytes[at + 10] << 12) | (bytes[at + 11] << 4) | (bytes[at + 12] >> 4);

const oggRate = (bytes) => {
  const at = 27 + bytes[26];
  if (text(bytes, at + 1, 6) === "vorbis") return viewOf(bytes).getUint32(at + 12, true);
  if (text(bytes, at, 8) === "OpusHead") return 48000;
  return text(bytes, at + 1, 4) === "FLAC" ? flacRate(bytes, at + 17) : null;
};

const mpegRate = (bytes, from) => {
  for (let at = from; at + 4 < Math.min(bytes.length, from + 65536); at += 1) {
    const [sync, version, layer, place] = [
      bytes[at] === 0xff && bytes[at + 1] >= 0xe0, (bytes[at + 1] >> 3) & 3, (bytes[at + 1] >> 1) & 3, (bytes[at + 2] >> 2) & 3,
    ];
    if (!sync || version === 1 || layer === 0 || place === 3) continue;
    return [44100, 48000, 32000][place] / { 3: 1, 2: 2, 0: 4 }[version];
  }
  return null;
};

const mp4Rate = (bytes) => {
  for (let at = 0; at + 32 < bytes.length; at += 1) {
    if (bytes[at] === 0x6d && text(bytes, at, 4) === "mp4a") return viewOf(bytes).getUint16(at + 28);
  }
  return null;
};

const behindTag = (bytes) =>
  text(bytes, 0, 3) !== "ID3" ? 0 : 10 + ((bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9]);

/** Return the sample rate that a file states, or `null` where none is found. */
export const rateOf = (bytes) => {
  const start = behindTag(bytes);
  const head = text(bytes, start, 4);
  if (head === "RIFF") return waveRate(bytes);
  if (head === "fLaC") return flacRate(bytes, start + 8);
  if (head === "OggS") return oggRate(bytes);
  if (text(bytes, 4, 4) === "ftyp") return mp4Rate(bytes);
  if (bytes[0] === 0x1a && bytes[1] === 0x45) return 48000; // what a browser records: Opus
  return mpegRate(bytes, start);
};

const power = (samples) => {
  let [sum, squares] = [0, 0];
  for (const value of samples) {
    sum += value;
    squares += value * value;
  }
  return squares / samples.length - (sum / samples.length) ** 2;
};

/** Return the mean of the channels, or the loudest of them where the mean cancels out. */
export const mixed = (channels) => {
  if (channels.length === 1) return { samples: channels[0], notes: [] };
  const mean = channels[0].map((_, n) =>
    channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length);
  const powers = channels.map(power);
  const unrelated = powers.reduce((sum, value) => sum + value, 0) / channels.length ** 2;
  if (!(power(mean) < LEAST_LEFT * unrelated)) return { samples: mean, notes: [] };
  const loudest = powers.indexOf(Math.max(...powers));
  return { samples: channels[loudest], notes: ["its channels cancel out; the louder one was taken"] };
};

/**
 * Return `{samples, notes}` of an encoded file (ArrayBuffer) at the rate `rate`.
 *
 * A file whose rate is not told, or is too odd, is resampled by the browser, and a note says so.
 */
export const decoded = async (encoded, rate) => {
  const stated = rateOf(new Uint8Array(encoded));
  const own = stated && stated >= 3000 && canResample(stated, rate) ? stated : null;
  let audio;
  try {
    audio = await new OfflineAudioContext(1, 1, own ?? rate).decodeAudioData(encoded);
  } catch {
    throw new Error("this browser cannot decode it as sound");
  }
  const channels = Array.from({ length: audio.numberOfChannels }, (_, i) => audio.getChannelData(i));
  const { samples, notes } = mixed(channels);
  if (own) return { samples: resampled(samples, own, rate), notes };
  return { samples, notes: [...notes, "the browser resampled it, by a filter of its own"] };
};
