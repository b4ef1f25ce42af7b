// What a page of emotions lists, filters and says of a clip: an answer that is right or wrong, and how sure
// the model was of it.

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

const labelOf = (id) => (id < 0 ? "no prediction" : content.labels[id]);

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

const CONFIDENCE_ORDERS = {
  sure: { title: "most confident first", by: ({ side }) => (x, y) => confidenceOf(y, side) - confidenceOf(x, side) },
  unsure: { title: "least confident first", by: ({ side }) => (x, y) => confidenceOf(x, side) - confidenceOf(y, side) },
};

// Without a mistake there is nothing to show first, so everything is.
const firstOutcome = () => (columns().id.some((_, i) => OUTCOMES.wrong.keep(i, 0)) ? "wrong" : "all");

const keepsAnswer = (i, f) =>
  OUTCOMES[f.outcome].keep(i, f.side)
  && (f.truth < 0 || columns().truth[i] === f.truth)
  && (f.predicted < 0 || predictedOf(i, f.side) === f.predicted)
  && confidenceOf(i, f.side) * 100 >= f.low - 0.005
  && confidenceOf(i, f.side) * 100 <= f.high + 0.005;

const labelEntries = () => [["-1", "any"], ...content.labels.map((label, id) => [String(id), label])];

const outcomeEntries = () => Object.entries(OUTCOMES)
  .filter(([, outcome]) => !outcome.pair || content.runs.length > 1)
  .map(([key, outcome]) => [key, outcome.title]);

const numberOf = (name, title, value, change) =>
  el("input", { name, type: "number", min: 0, max: 100, step: 1, value, "aria-label": title,
    oninput: (event) => change(Number(event.target.value || value)) });

const confidenceFields = (f, set) => el("div", {}, el("label", { id: "confidence-name" }, "Confidence in %"),
  el("div", { class: "range-pair", role: "group", "aria-labelledby": "confidence-name" },
    numberOf("low", "Lowest confidence in %", f.low, set("low", Number)), "–",
    numberOf("high", "Highest confidence in %", f.high, set("high", Number))));

const answerRow = (i, side) => {
  const other = content.runs.length > 1 ? [`, ${"BA"[side]}: `, isolated(labelOf(predictedOf(i, 1 - side)))] : [];
  return [
    el("span", { class: isRight(i, side) ? "what ok" : "what" }, isolated(labelOf(columns().truth[i])), " → ",
      el("bdi", { class: "to" }, labelOf(predictedOf(i, side))), ...other),
    el("span", { class: "conf" }, percent(confidenceOf(i, side)))];
};

const probabilityRow = (i, label, probs) => {
  const sides = probs.map((values, side) => ({ side, share: values[label], mark: "ab"[side] }));
  const tags = sides
    .filter(({ side }) => predictedOf(i, side) === label)
    .map(({ mark }) => el("span", { class: `tag ${mark}` }, sides.length > 1 ? mark.toUpperCase() : "predicted"));
  if (columns().truth[i] === label) tags.unshift(el("span", { class: "tag t" }, "truth"));
  return el("tr", { class: columns().truth[i] === label ? "truth" : false },
    el("th", { scope: "row" }, isolated(content.labels[label]), ...tags),
    el("td", {}, ...sides.map(({ share, mark }) => barOf(share, mark))),
    el("td", { class: "n" }, ...sides.map(({ share }) => el("div", {}, percent(share)))));
};

const probabilitiesOf = (i) => {
  const sides = columns().runs.map((_, side) => side).filter((side) => predictedOf(i, side) >= 0);
  const probs = sides.map((side) => probsOf(i, side));
  return el("table", { class: "probs" },
    el("caption", {}, sides.length > 1 ? `Probabilities: A ${content.runs[0].name}, B ${content.runs[1].name}` : "Probabilities"),
    el("tbody", {}, ...content.labels.map((_, label) => probabilityRow(i, label, probs))));
};

const saidOf = (i) => columns().runs.map((_, side) => {
  const p = predictedOf(i, side);
  const who = columns().runs.length > 1 ? `${"AB"[side]} ` : "";
  const sure = p < 0 ? "" : ` (${percent(confidenceOf(i, side))} sure)`;
  return el("p", { class: "said" }, isolated(labelOf(columns().truth[i])), `, ${who}heard as `,
    el("bdi", { class: isRight(i, side) ? "good" : "bad" }, labelOf(p)), sure);
});

const matrixSection = (explorer) => {
  const choose = (cell) => explorer.choose(cell);
  const matrices = content.runs.map((run, side) => el("div", { class: "card" },
    content.runs.length > 1 ? el("h3", {}, `${"AB"[side]} ${run.name}`) : null, matrixOf(run, side, choose)));
  const side = (run, at) => el("div", { class: "card side" },
    el("h3", {}, content.runs.length > 1 ? `${"AB"[at]}: most frequent confusions` : "Most frequent confusions"),
    topConfusions(run, at, choose), el("h3", {}, "What stands out"),
    ...run.observations.map((line) => el("p", {}, ...sentence(line))));
  const body = content.runs.length > 1
    ? el("div", { class: "pair" }, ...matrices, ...content.runs.map(side))
    : el("div", { class: manyClasses() ? "stacked" : "split" }, matrices[0], side(content.runs[0], 0));
  return sectionOf("matrix", "What is taken for what",
    "A row is the true emotion, a column what the model heard. The stronger the colour, the larger the share of the row.", body);
};

const EMOTIONS = {
  usual: () => ({ truth: -1, predicted: -1, outcome: firstOutcome(), low: 0, high: 100, order: "sure" }),
  keeps: keepsAnswer,
  orders: { ...CONFIDENCE_ORDERS, ...ORDERS },
  addressed: () => ({
    outcome: asKey(OUTCOMES), truth: asName(content.labels), predicted: asName(content.labels), low: asNumber, high: asNumber,
  }),
  fields: (f, set) => [
    selectOf("outcome", "Show", outcomeEntries(), set("outcome")),
    selectOf("truth", "Truth", labelEntries(), set("truth", Number)),
    selectOf("predicted", "Predicted", labelEntries(), set("predicted", Number))],
  behind: (f, set) => [confidenceFields(f, set)],
  row: answerRow,
  cells: (i, side) => ({ truth: labelOf(columns().truth[i]), predicted: labelOf(predictedOf(i, side)), confidence: confidenceOf(i, side) }),
  said: saidOf,
  table: probabilitiesOf,
  hearings: () => ["flips", "lost", "won"].map((outcome) => [{ outcome }, OUTCOMES[outcome].title]),
  everything: () => ({ outcome: "all" }),
  sections: (explorer) => [matrixSection(explorer)],
  picture: () => null,
  filtered: markCell,
};
