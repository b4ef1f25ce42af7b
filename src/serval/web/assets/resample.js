// Samples at another rate, by a filter as near as can be to that of soxr's quality HQ, which Python
// uses: a low-pass of linear phase, flat to 91.36 % of the lower rate's half, and nothing above it.
// Of white noise it differs by 0.03 % (48 kHz to 16) to 0.2 % (44.1 kHz to 16) of the RMS.

const PASSED = 0.9136;
const REJECTION_DB = 128;
const BETA = 0.1102 * (REJECTION_DB - 8.7);

/** Rows of coefficients that are worth keeping; more are needed only between odd rates. */
const MOST_PHASES = 1280;

const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Return the modified Bessel function of order 0, by its series. */
const bessel = (x) => {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
};

const kaiser = (x) => (Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA));

/** Return one row of coefficients for each place of an output between two inputs. */
const filterOf = (from, to) => {
  const shared = divisor(from, to);
  const [up, down] = [to / shared, from / shared];
  const lower = Math.min(from, to) / 2 / from; // of the lower rate's half, in cycles a sample
  const cutoff = (lower * (1 + PASSED)) / 2;
  const half = Math.ceil((REJECTION_DB - 7.95) / (14.36 * lower * (1 - PASSED)) / 2);
  const rows = Array.from({ length: up }, (_, phase) =>
    Float64Array.from({ length: 2 * half }, (_, k) => {
      const x = k - half + 1 - phase / up;
      return 2 * cutoff * sinc(2 * cutoff * x) * kaiser(x / half);
    }));
  return { up, down, half, rows };
};

const filters = new Map();

const filterBetween = (from, to) => {
  const key = `${from}/${to}`;
  if (!filters.has(key)) filters.set(key, filterOf(from, to));
  return filters.get(key);
};

/** Whether `resampled` knows these two rates; all that devices and files usually have it does. */
export const canResample = (from, to) => to / divisor(from, to) <= MOST_PHASES;

/** Return `samples` (Float32Array) at the rate `to`; the same where the rates are equal. */
export const resampled = (samples, from, to) => {
  if (from === to) return samples;
  const { up, down, half, rows } = filterBetween(from, to);
  const out = new Float32Array(Math.round((samples.length * to) / from));
  for (let n = 0; n < out.length; n += 1) {
    const first = Math.floor((n * down) / up) - half + 1;
    const row = rows[(n * down) % up];
    const end = Math.min(2 * half, samples.length - first);
    let sum = 0;
    for (let k = Math.max(0, -first); k < end; k += 1) sum += row[k] * samples[first + k];
    out[n] = sum;
  }
  return out;
};
