// One clip is a position in the columns of `content.clips`; nothing is copied.

const columns = () => content.clips;

const predictedOf = (i, side) => columns().runs[side].predicted[i];

const probsOf = (i, side) => {
  const k = content.labels.length;
  return columns().runs[side].probs.slice(i * k, i * k + k).map((value) => value / 10000);
};

const confidenceOf = (i, side) => {
  const p = predictedOf(i, side);
  return p < 0 ? 0 : columns().runs[side].probs[i * content.labels.length + p] / 10000;
};

const isRight = (i, side) => predictedOf(i, side) === columns().truth[i];

const speakerOf = (i) => {
  const at = columns().speaker[i];
  return at < 0 ? "" : columns().speakers[at];
};

const textOf = (i) => (columns().text ? columns().text[i] : "") || "";

const labelOf = (id) => (id < 0 ? "no prediction" : content.labels[id]);

const hasSound = (i) => columns().sound[i] >= 0;

const anySound = () => columns().sound.some((place) => place >= 0);

const isFlip = (i) =>
  columns().runs.length > 1 && predictedOf(i, 0) >= 0 && predictedOf(i, 1) >= 0
  && predictedOf(i, 0) !== predictedOf(i, 1);

const OUTCOMES = {
  wrong: { title: "wrong", keep: (i, side) => predictedOf(i, side) >= 0 && !isRight(i, side) },
  right: { title: "right", keep: (i, side) => isRight(i, side) },
  all: { title: "all", keep: () => true },
  flips: { title: "all flips", pair: true, keep: isFlip },
  lost: { title: "A right, B wrong", pair: true, keep: (i) => isFlip(i) && isRight(i, 0) },
  won: { title: "A wrong, B right", pair: true, keep: (i) => isFlip(i) && isRight(i, 1) },
};

const ORDERS = {
  sure: { title: "most confident first", by: (side) => (x, y) => confidenceOf(y, side) - confidenceOf(x, side) },
  unsure: { title: "least confident first", by: (side) => (x, y) => confidenceOf(x, side) - confidenceOf(y, side) },
  order: { title: "dataset order", by: () => (x, y) => x - y },
  long: { title: "longest first", by: () => (x, y) => columns().duration[y] - columns().duration[x] },
};

// Without a mistake there is nothing to show first, so everything is.
const firstOutcome = () => (columns().id.some((_, i) => OUTCOMES.wrong.keep(i, 0)) ? "wrong" : "all");

const noFilters = () => ({
  side: 0, truth: -1, predicted: -1, outcome: firstOutcome(), speaker: -1, group: "", low: 0, high: 100,
  text: "", order: "sure",
});

const inGroup = (i, group) => {
  if (!group) return true;
  const [column, value] = group.split(":").map(Number);
  return columns().groups[column].of[i] === value;
};

const mentions = (i, needle) =>
  columns().id[i].toLowerCase().includes(needle)
  || textOf(i).toLowerCase().includes(needle)
  || speakerOf(i).toLowerCase().includes(needle);

const passes = (i, f) =>
  OUTCOMES[f.outcome].keep(i, f.side)
  && (f.truth < 0 || columns().truth[i] === f.truth)
  && (f.predicted < 0 || predictedOf(i, f.side) === f.predicted)
  && (f.speaker < 0 || columns().speaker[i] === f.speaker)
  && inGroup(i, f.group)
  && confidenceOf(i, f.side) * 100 >= f.low - 0.005
  && confidenceOf(i, f.side) * 100 <= f.high + 0.005
  && (!f.text || mentions(i, f.text.toLowerCase()));

const chosenClips = (f) =>
  columns().id.map((_, i) => i).filter((i) => passes(i, f)).sort(ORDERS[f.order].by(f.side));

let soundStore = null;

// Parsed when the first clip is opened, so that the page is usable before that.
const soundAt = (place) => {
  soundStore ??= JSON.parse(document.getElementById("sounds").textContent);
  return soundStore[place];
};

const soundOf = (i) => (hasSound(i) ? soundAt(columns().sound[i]) : null);
